package main

import (
	"context"
	"syscall"
	"time"
)

// What a fault happens to.
const (
	ofNode    = "node"
	ofService = "service"
	ofStore   = "store"
)

// faultKind is a kind of fault. inject begins the fault and returns the function that
// heals it, which is called once.
type faultKind struct {
	name      string
	of        string
	store     string // only with this store, "" for all
	needsRoot bool
	once      bool     // at most once in a run
	excludes  []string // kinds, as strings, that the same run must not have
	inject    func(ctx context.Context, r *run, f fault) (heal func(context.Context) error, err error)
}

func (k faultKind) String() string { return k.name + " of " + k.of }

// faultKinds returns all kinds of faults.
func faultKinds() []faultKind {
	return slicesOf(nodeFaults(), serviceFaults(), storeFaults())
}

func slicesOf(groups ...[]faultKind) (all []faultKind) {
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

func nodeFaults() []faultKind {
	return []faultKind{
		{name: "kill -9", of: ofNode, inject: killNode},
		{name: "restart", of: ofNode, inject: restartNode},
		{name: "freeze", of: ofNode, inject: freezeNode},
		{name: "slow network", of: ofNode, inject: slowNetwork},
		{name: "half-open connections", of: ofNode, inject: toxic(func(fault) []string {
			return []string{toxicJSON("timeout", "downstream", "timeout", 0), toxicJSON("timeout", "upstream", "timeout", 0)}
		})},
		{name: "answers lost", of: ofNode, inject: toxic(func(fault) []string {
			return []string{toxicJSON("timeout", "downstream", "timeout", 0)}
		})},
		{name: "cut in the middle of a row", of: ofNode, inject: cutRow},
		{name: "reset in the middle of an answer", of: ofNode, inject: toxic(func(f fault) []string {
			return []string{toxicJSON("limit_data", "downstream", "bytes", f.size)}
		})},
		{name: "reset in the middle of a request", of: ofNode, inject: toxic(func(f fault) []string {
			return []string{toxicJSON("limit_data", "upstream", "bytes", f.size)}
		})},
		{name: "connections reset", of: ofNode, inject: toxic(func(fault) []string {
			return []string{toxicJSON("reset_peer", "downstream", "timeout", 0)}
		})},
		{name: "connection refused", of: ofNode, inject: refuseNode},
		{name: "no connections left", of: ofNode, inject: limitConnections},
		{name: "sessions terminated", of: ofNode, inject: signalSessions("pg_terminate_backend")},
		{name: "queries cancelled", of: ofNode, inject: signalSessions("pg_cancel_backend")},
		{name: "table locked", of: ofNode, inject: lockTables},
		{name: "disk full", of: ofNode, needsRoot: true, once: true, excludes: []string{"failover of node", conflictFault}, inject: fillNode},
		{name: "failover", of: ofNode, once: true, excludes: []string{"disk full of node", conflictFault}, inject: failOver},
		{name: "standby conflict", of: ofNode, once: true, excludes: []string{"disk full of node", "failover of node"}, inject: conflict},
	}
}

func serviceFaults() []faultKind {
	return []faultKind{
		{name: "kill -9", of: ofService, inject: killService(syscall.SIGKILL)},
		{name: "kill -9, again and again", of: ofService, inject: killOften},
		{name: "SIGTERM", of: ofService, inject: killService(syscall.SIGTERM)},
		{name: "SIGHUP", of: ofService, inject: hangUpService},
		{name: "freeze", of: ofService, inject: freezeService(0)},
		{name: "freeze, longer than the lease", of: ofService, inject: freezeService(lease + time.Second)},
		{name: "no file descriptors left", of: ofService, inject: limitFiles},
		{name: "largest file size", of: ofService, store: storeDir, inject: limitFileSize},
	}
}

func storeFaults() []faultKind {
	kinds := []faultKind{{name: "disk full", of: ofStore, store: storeDir, needsRoot: true, inject: fillStore}}
	for _, mode := range frontModes() {
		kinds = append(kinds, faultKind{name: mode.name, of: ofStore, store: storeMinIO, inject: func(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
			return r.bed.front.disturb(mode, f), nil
		}})
	}
	return kinds
}
