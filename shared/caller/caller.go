// Package caller defines who may do what: the callers of the service with their tokens,
// rights and clusters, and the caller of one request, which a context carries.
//
// A transport identifies the caller and puts it into the context of the request. The Mux
// of package endpoint refuses a request without a caller. A function that is called
// without a caller, such as one that runs a task, works for the service itself and may do
// everything. The package stores no token: it knows their SHA-256 only.
package caller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

// AllClusters in Caller.Clusters stands for every cluster.
const AllClusters = "*"

// The names of callers that are not in a callers file.
const (
	Anonymous = "anonymous" // no token is required
	Token     = "token"     // the token of ACE_TOKEN_FILE
	Schedule  = "schedule"  // a job of the schedules file
	Command   = "command"   // a command that runs the service in its own process
	Service   = "service"   // the service itself, for what the web page shows to all callers
	AWS       = "aws"       // a caller of a function that AWS has not named
)

// Caller is who sends requests, and what it may do.
type Caller struct {
	Name     string
	Rights   []api.Right
	Clusters []string // names of clusters; AllClusters means all of them
}

// Unrestricted returns a caller that may do everything on every cluster.
func Unrestricted(name string) Caller {
	return Caller{Name: name, Rights: api.Rights(), Clusters: []string{AllClusters}}
}

// May reports whether the caller has a right. Every caller has api.RightNone.
func (c Caller) May(right api.Right) bool {
	switch right {
	case api.RightNone:
		return true
	case api.RightAny:
		return len(c.Rights) > 0
	}
	return slices.Contains(c.Rights, right)
}

// Sees reports whether the caller may see and use a cluster.
func (c Caller) Sees(cluster string) bool {
	return c.SeesAll() || slices.Contains(c.Clusters, cluster)
}

// SeesAll reports whether the caller may see every cluster.
func (c Caller) SeesAll() bool { return slices.Contains(c.Clusters, AllClusters) }

// Check returns an error (Forbidden) that names the right, if the caller lacks it.
func (c Caller) Check(right api.Right) error {
	if c.May(right) {
		return nil
	}
	needed := "the right " + string(right)
	if right == api.RightAny {
		needed = "one of the rights read, compare and repair"
	}
	return &RefusalError{Right: right, text: fmt.Sprintf("the caller %s does not have %s, which this request needs", c.Name, needed)}
}

// CheckCluster returns an error (Forbidden) that names the cluster, if the caller may not
// use it. The error is the same whether the cluster exists or not.
func (c Caller) CheckCluster(cluster string) error {
	if c.Sees(cluster) {
		return nil
	}
	return &RefusalError{Cluster: cluster, text: fmt.Sprintf("the caller %s may not use the cluster %s", c.Name, fault.Short(cluster))}
}

// CheckAllClusters returns an error (Forbidden) if the caller may not use all clusters.
func (c Caller) CheckAllClusters() error {
	if c.SeesAll() {
		return nil
	}
	return &RefusalError{text: fmt.Sprintf("the caller %s may not use all clusters, which this request needs", c.Name)}
}

// RefusalError is the error of a request that its caller may not make. Its code is
// Forbidden.
type RefusalError struct {
	Right   api.Right // the missing right, or ""
	Cluster string    // the cluster that the caller may not use, or ""
	text    string
}

// Error implements error.
func (r *RefusalError) Error() string { return r.text }

// Unwrap returns the fault, which has the code and the message for the client.
func (r *RefusalError) Unwrap() error { return fault.New(fault.Forbidden, "%s", r.text) }

// Identity is the caller of one request, and where the request came from.
type Identity struct {
	Caller
	api.RequestedBy
}

// NewIdentity returns the identity of a request of c. It sets by.Caller to the name of c.
func NewIdentity(c Caller, by api.RequestedBy) Identity {
	c.Name = clean(c.Name, maxName)
	by.Caller = c.Name
	by.From = Clean(by.From)
	by.UserAgent = Clean(by.UserAgent)
	return Identity{c, by}
}

const (
	maxText = 200 // maximum length of what a client says about itself, in bytes
	maxName = 512 // maximum length of the name of a caller, which may be an ARN
)

// Clean returns the beginning of a text without control characters and without invalid
// UTF-8, at most maxText bytes. The text comes from a client and is shown in a terminal.
func Clean(text string) string { return clean(text, maxText) }

func clean(text string, most int) string {
	text = strings.ToValidUTF8(text[:min(len(text), most)], "")
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || strings.ContainsRune("\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", c) {
			return -1
		}
		return c
	}, text)
}

type contextKey struct{}

// NewContext returns a context that carries the identity of a request.
func NewContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity of the request, and reports whether ctx carries one.
func FromContext(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(Identity)
	return id, ok
}

// Of returns the caller of the request. Without one, it returns the service itself, which
// may do everything.
func Of(ctx context.Context) Caller {
	if id, ok := FromContext(ctx); ok {
		return id.Caller
	}
	return Unrestricted(Service)
}

// RequestedBy returns who requested what ctx is about, or nil if ctx carries no identity.
func RequestedBy(ctx context.Context) *api.RequestedBy {
	if id, ok := FromContext(ctx); ok {
		return &id.RequestedBy
	}
	return nil
}

// AsService returns a context for a request that the service itself makes.
func AsService(ctx context.Context) context.Context {
	return NewContext(ctx, NewIdentity(Unrestricted(Service), api.RequestedBy{}))
}

// AsJob returns a context for what a job of the schedules file requests.
func AsJob(ctx context.Context, job string) context.Context {
	return NewContext(ctx, NewIdentity(Unrestricted(Schedule), api.RequestedBy{Via: "schedule", Job: job}))
}
