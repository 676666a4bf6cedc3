package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// slowness is a slow network between a server and its clients.
type slowness struct {
	delay time.Duration // before each write to a client
	rate  int           // bytes per second
}

const (
	jitter    = 20 * time.Millisecond // how much longer a delay is at most
	slowPiece = 4 << 10               // bytes that are written at once
)

// slowNetwork delays the answers of a node. The gate does so, because Toxiproxy can hang
// if a toxic that has data is removed while the connection ends.
func slowNetwork(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	remove := r.bed.nodes[f.target].gate.slow(slowness{delay: time.Duration(20+f.size/100) * time.Millisecond, rate: (50 + int(f.size)/100) << 10})
	return func(context.Context) error { remove(); return nil }, nil
}

// slow makes the network slow, and returns the function that ends it.
func (g *gate) slow(s slowness) (remove func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.slowed[&s] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.slowed, &s)
	}
}

// slowness returns how slow the network is now, or nil.
func (g *gate) slowness() *slowness {
	g.mu.Lock()
	defer g.mu.Unlock()
	for s := range g.slowed {
		return s
	}
	return nil
}

// slowWriter writes to the client of a link.
type slowWriter struct{ link *link }

// Write implements io.Writer.
func (w slowWriter) Write(p []byte) (n int, err error) {
	if s := w.link.gate.slowness(); s != nil {
		time.Sleep(s.delay + rand.N(jitter))
	}
	for len(p) > n && err == nil {
		piece := p[n:]
		s := w.link.gate.slowness()
		if s != nil {
			piece = piece[:min(len(piece), slowPiece)]
		}
		var written int
		written, err = w.link.client.Write(piece)
		n += written
		if s != nil {
			time.Sleep(time.Duration(written) * time.Second / time.Duration(s.rate))
		}
	}
	return n, err
}
