package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/infra/testkit/soak"
)

// fullChecks is the number of times that a property is checked at scale 1. The default of
// rapid is 100.
const fullChecks = 2000

// suite is a set of tests.
type suite struct {
	name string
	args []string // arguments of go test
	env  []string
	// figures describes what the suite tries (such as "5 properties, 2000 times each").
	// It is "" if the tests report this themselves.
	figures string
}

// suites returns the suites to run.
func suites(o options) ([]suite, error) {
	packages, err := findTests(".")
	if err != nil {
		return nil, err
	}
	budget := []string{
		soak.EnvSeed + "=" + strconv.FormatUint(o.seed, 10), soak.EnvScale + "=" + strconv.FormatFloat(o.scale, 'g', -1, 64),
	}
	list := []suite{
		{name: "live writes", args: tests("./shared/app", "TestLiveWrites_OnlyThePlantedDifferencesAreReported"), env: budget},
		{name: "rewritten tables", args: withoutRace(tests("./shared/app", "TestRewrites_AtRandomTimesNoRowIsReportedAsMissing")), env: budget},
		{name: "silent nodes", args: tests("./shared/app", "TestSilence_AtAnyMessageOfAnOperation"), env: budget},
		{name: "faults of the store", args: tests("./shared/app", "TestTasks_AnOutageOfTheStoreLosesNothing", "TestTableDiff_AFaultOfTheStoreChangesNothing"),
			env: budget, figures: "a fault and an outage at each call"},
		{name: "cancelled repairs", args: tests("./shared/app", "TestTaskCancel_EndsARepairOrUndoAsCancelledAtWhateverStep"), env: budget,
			figures: "a request at each call of the store"},
		{name: "a large table", args: tests("./local", "TestSurvival_OfALargeTable"), env: budget},
		{name: "a page of wide rows", args: tests("./shared/render", "TestPage_OfOneHundredThousandDifferencesStaysQuick"), env: budget,
			figures: "100000 differences of ten columns in Chromium"},
		{name: "a long archive", args: withoutRace(tests("./shared/app", "TestDiffs_TheCostOfAPageDoesNotDependOnTheArchive")), env: budget},
		{name: "plain SQL as oracle", args: tests("./shared/app", "TestTableDiff_TheDocumentEqualsTheResultOfPlainSQL"), env: budget},
		{name: "repairs by rule", args: withoutRace(tests("./shared/app", "TestTableRepair_ByRuleRandomRowsBecomeWhatAnOracleSays")), env: budget},
		{name: "settings of a node", args: withoutRace(tests("./shared/app", "TestIdentity_SettingsOfOneNodeDoNotChangeTheResult")), env: budget},
		{name: "filters with effects", args: withoutRace(tests("./shared/app", "TestLeftovers_AFilterWithAnEffectChangesNoLaterOperation")), env: budget},
		{name: "filters in a session", args: withoutRace(tests("./shared/pg", "TestTx_FilterLeavesNothingInSessionOrDatabase")), env: budget},
		{name: "random schemas", args: withoutRace(tests("./shared/structure", "TestCompare_RandomSchemas")), env: budget},
		{name: "structure of many tables", args: withoutRace(tests("./shared/structure", "TestCompare_ManyTablesTakeSeconds")), env: budget},
		{name: "generated requests", args: withoutRace(tests("./shared/app", "TestRequests_GeneratedOnesAreAnsweredAsDescribed")), env: budget},
		{name: "through a pooler", args: tests("./shared/pg", "TestPooler_TransactionOnAnotherServerReturnsNoResult"), env: budget},
		{name: "incremental histories", args: withoutRace(tests("./shared/app", "TestIncremental_RandomHistoriesHaveTheResultOfAFullComparison")), env: budget},
		{name: "torture", args: withoutRace(tests("./infra/torture", "TestTorture_NothingIsWrongLostOrLeft")), env: budget},
		{name: "functions", args: tests("./infra/lambda/e2e", "TestFunctions_GiveTheSameDocument.*", "TestFaults_.*", "TestBurst_.*"), env: budget},
	}
	checks := max(1, int(o.scale*fullChecks))
	for _, p := range packages {
		if len(p.properties) > 0 {
			list = append(list, suite{
				name: "properties of " + p.dir, args: tests("./"+p.dir, p.properties...),
				env:     []string{fmt.Sprintf("RAPID_SEED=%d", o.seed), fmt.Sprintf("RAPID_CHECKS=%d", checks)},
				figures: fmt.Sprintf("%d properties, %d times each", len(p.properties), checks),
			})
		}
		for _, target := range p.fuzz {
			list = append(list, suite{name: target + " of " + p.dir, args: fuzzing("./"+p.dir, target, o.inputs)})
		}
	}
	return filter(list, o.only), nil
}

func filter(list []suite, only string) []suite {
	var chosen []suite
	for _, s := range list {
		if strings.Contains(s.name, only) {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

func tests(pkg string, names ...string) []string {
	return []string{"-race", "-count=1", "-timeout=0", "-run", "^(" + strings.Join(names, "|") + ")$", pkg}
}

// withoutRace returns the arguments for a run without the race detector. It is for tests
// that measure times, and for tests that try many values: without the race detector they
// try several times as many in the same time.
func withoutRace(args []string) []string {
	return slices.DeleteFunc(args, func(arg string) bool { return arg == "-race" })
}

// fuzzing returns the arguments to run a fuzz target with a number of inputs. It does not
// use a time limit, because a run that ends by its time limit sometimes counts as failed.
func fuzzing(pkg, target string, inputs int) []string {
	return []string{"-run", "^$", "-fuzz", "^" + target + "$", "-fuzztime", fmt.Sprintf("%dx", inputs), pkg}
}
