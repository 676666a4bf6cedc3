package tablediff

import (
	"testing"

	"ace/shared/tablediff/plan"
)

func TestHint_PassesOnWhatEarlierUnitsHaveFound(t *testing.T) {
	r := &run{plan: &plan.Plan{Strategy: plan.KeyRanges}}
	ask := func(phase string) (dense, probe bool) {
		u := plan.Unit{Phase: phase}
		r.hint(&u)
		return u.Dense, u.Probe
	}

	if dense, probe := ask(plan.PhaseCompare); dense || !probe {
		t.Errorf("the first unit has the hints dense %v, probe %v", dense, probe)
	}

	r.anyUnitDone.Store(true)
	if dense, probe := ask(plan.PhaseCompare); dense || probe {
		t.Errorf("after a unit that found little, the next has the hints dense %v, probe %v", dense, probe)
	}

	r.mostDiffer.Store(true)
	if dense, probe := ask(plan.PhaseCompare); !dense || probe {
		t.Errorf("after a unit that found much, the next has the hints dense %v, probe %v", dense, probe)
	}
	if dense, probe := ask(plan.PhaseConfirm); dense || probe {
		t.Errorf("a confirm unit has the hints dense %v, probe %v", dense, probe)
	}

	r.plan.Strategy = plan.Pages // the result of a scan is better than a guess
	if dense, probe := ask(plan.PhaseCompare); dense || probe {
		t.Errorf("a unit that narrows has the hints dense %v, probe %v", dense, probe)
	}
}

func TestHint_ARerunUnitProbesIfMostKeysMayStillDiffer(t *testing.T) {
	tests := []struct {
		name               string
		plan               plan.Plan
		anyUnitDone, dense bool
		want               bool
	}{
		{"nothing is known", plan.Plan{MaxDiffRows: 10}, false, false, true},
		{"most differ", plan.Plan{MaxDiffRows: 10}, true, true, true},
		{"most are equal", plan.Plan{MaxDiffRows: 10}, true, false, false},
		{"there is a second look", plan.Plan{MaxDiffRows: 10, ConfirmDelay: 1}, false, false, false},
		{"the nodes order keys differently", plan.Plan{MaxDiffRows: 10, ByText: true}, false, false, false},
		{"more keys than rows are written", plan.Plan{MaxDiffRows: 9}, false, false, false},
	}
	for _, tt := range tests {
		tt.plan.Strategy = plan.Keys
		r := &run{plan: &tt.plan, keyList: keyList{Keys: 10}}
		r.anyUnitDone.Store(tt.anyUnitDone)
		r.mostDiffer.Store(tt.dense)
		u := plan.Unit{Phase: plan.PhaseCompare}
		if r.hint(&u); u.Probe != tt.want || u.Dense {
			t.Errorf("%s: probe %v, dense %v", tt.name, u.Probe, u.Dense)
		}
	}
}
