package caller_test

import (
	"context"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
)

func TestCheck_NamesWhatIsMissing(t *testing.T) {
	c := caller.Caller{Name: "ci", Rights: []api.Right{api.RightRead}, Clusters: []string{"demo"}}
	for right, want := range map[api.Right]string{
		api.RightRead: "", api.RightNone: "", api.RightAny: "", api.RightCompare: "the right compare", api.RightRepair: "the right repair",
	} {
		err := c.Check(right)
		if (err == nil) != (want == "") || err != nil && (fault.CodeOf(err) != fault.Forbidden || !strings.Contains(fault.PublicMessage(err), want)) {
			t.Errorf("%q returned %v", right, err)
		}
	}
	if err := (caller.Caller{}).Check(api.RightAny); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("a caller without rights: %v", err)
	}
	if err := c.CheckCluster("shop"); fault.CodeOf(err) != fault.Forbidden || !strings.Contains(fault.PublicMessage(err), "may not use the cluster shop") {
		t.Errorf("another cluster: %v", err)
	}
	if err := c.CheckCluster("demo"); err != nil {
		t.Errorf("its cluster: %v", err)
	}
}

func TestOf_IsTheServiceOnlyWithoutAnIdentity(t *testing.T) {
	if c := caller.Of(context.Background()); c.Name != caller.Service || !c.May(api.RightRepair) || !c.SeesAll() {
		t.Errorf("without an identity: %+v", c)
	}
	ctx := caller.NewContext(t.Context(), caller.NewIdentity(caller.Caller{Name: "x"}, api.RequestedBy{From: "1.2.3.4"}))
	if c := caller.Of(ctx); c.Name != "x" || c.May(api.RightRead) || c.Sees("demo") {
		t.Errorf("with an identity: %+v", c)
	}
}

func TestNewIdentity_CleansWhatTheClientSays(t *testing.T) {
	id := caller.NewIdentity(caller.Unrestricted("x"), api.RequestedBy{Caller: "forged", UserAgent: "a\x1b[2Jb\n\u202ec\x9b" + strings.Repeat("ü", 300)})
	if id.RequestedBy.Caller != "x" || !strings.HasPrefix(id.UserAgent, "a[2Jbcü") || len(id.UserAgent) > 200 || strings.ContainsAny(id.UserAgent, "\x1b\n\u202e\u009b") {
		t.Errorf("got %+v", id.RequestedBy)
	}
}
