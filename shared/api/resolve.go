package api

import (
	"errors"
	"time"
)

// The values of resolve: what decides which version of a row is right.
const (
	ResolveSourceOfTruth = "source_of_truth" // the node that source_of_truth names
	ResolveNewest        = "newest"          // the version that was committed last
	ResolveMajority      = "majority"        // the version that more than half of all nodes have
	ResolveUnion         = "union"           // a missing row is inserted, if the nodes that have it agree
	ResolveRules         = "rules"           // the rules document that rules names
	ResolveFillNulls     = "fill_nulls"      // a NULL is replaced by the value of the nodes that have one, if these agree
)

func resolutions() []string {
	return []string{ResolveSourceOfTruth, ResolveNewest, ResolveMajority, ResolveUnion, ResolveFillNulls, ResolveRules}
}

func allowedResolve() string { return joinOr(resolutions()) }

// parseResolve parses the value of the parameter resolve. It returns "" for the default.
func parseResolve(text string) (string, error) {
	if text == ResolveSourceOfTruth {
		return "", nil
	}
	if text == "" || resolveProblem(text) != "" {
		return "", errors.New(allowedResolve())
	}
	return text, nil
}

func resolveProblem(resolve string) string {
	if resolve == "" {
		return ""
	}
	return oneOf("resolve", resolve, resolutions()...)
}

// The values of missing: what a repair by rule does with a row that some nodes lack.
const (
	MissingInsert = "insert"
	MissingDelete = "delete"
	MissingSkip   = "skip"
)

func missingModes() []string { return []string{MissingInsert, MissingDelete, MissingSkip} }

func allowedMissing() string { return joinOr(missingModes()) }

func parseMissing(text string) (string, error) {
	if text == "" || oneOf("missing", text, missingModes()...) != "" {
		return "", errors.New(allowedMissing())
	}
	return text, nil
}

func parseClockSkew(text string) (*Duration, error) {
	skew, err := parseConfirmDelay(text)
	return &skew, err
}

// DefaultClockSkew is the default of max_clock_skew.
const DefaultClockSkew = Duration(time.Second)

// ByRule reports whether a rule, instead of source_of_truth, decides which version of a
// row is right.
func (r TableRepairRequest) ByRule() bool { return r.Resolve != "" }

// comparesTimes reports whether the repair may compare commit times.
func (r TableRepairRequest) comparesTimes() bool {
	return r.Resolve == ResolveNewest || r.Resolve == ResolveRules
}

// addRuleDefaults sets the defaults of the parameters that only resolve=newest and
// resolve=rules have.
func (r *TableRepairRequest) addRuleDefaults() {
	if !r.comparesTimes() {
		return
	}
	if r.Missing == "" {
		r.Missing = MissingInsert
	}
	if r.MaxClockSkew == nil {
		skew := DefaultClockSkew
		r.MaxClockSkew = &skew
	}
}

// addRuleProblems adds the problems of resolve and of the parameters that depend on it.
func (r TableRepairRequest) addRuleProblems(found *problems) {
	found.add("resolve", resolveProblem(r.Resolve))
	newest := r.comparesTimes()
	switch {
	case !r.ByRule() && r.SourceOfTruth == "":
		found.add("source_of_truth", "give source_of_truth, the node whose rows are right, or resolve, a rule")
	case r.ByRule() && !newest && r.SourceOfTruth != "":
		found.add("source_of_truth", "source_of_truth is only for resolve=source_of_truth and, as the tie-breaker, for resolve=newest and resolve=rules")
	}
	if r.Missing != "" && !newest {
		found.add("missing", "missing needs resolve=newest or resolve=rules")
	} else if r.Missing != "" {
		found.add("missing", oneOf("missing", r.Missing, missingModes()...))
	}
	if r.MaxClockSkew != nil && !newest {
		found.add("max_clock_skew", "max_clock_skew needs resolve=newest or resolve=rules")
	} else if r.MaxClockSkew != nil && !allowsDelay(*r.MaxClockSkew) {
		found.add("max_clock_skew", notAllowed("max_clock_skew", r.MaxClockSkew.String(), allowedDelay))
	}
	r.addRulesProblems(found)
	if r.ByRule() && r.UpsertOnly {
		found.add("upsert_only", "upsert_only needs resolve=source_of_truth; a rule deletes no row unless missing=delete or a majority lacks it")
	}
	if r.ByRule() && r.InsertOnly {
		found.add("insert_only", "insert_only needs resolve=source_of_truth; resolve=union only inserts rows")
	}
}

// addRulesProblems adds the problems of the parameter rules.
func (r TableRepairRequest) addRulesProblems(found *problems) {
	switch {
	case r.Resolve == ResolveRules && r.Rules == "":
		found.add("rules", "resolve=rules needs rules, "+allowedRules)
	case r.Resolve != ResolveRules && r.Rules != "":
		found.add("rules", "rules needs resolve=rules")
	case r.Rules != "":
		found.add("rules", rulesProblem(r.Rules))
	}
}

func resolveParams() []Param {
	return []Param{
		{
			Name: "resolve", Kind: KindText, Default: ResolveSourceOfTruth,
			Purpose: "what decides which version of a row is right", Allowed: allowedResolve(), Values: valuesOf(resolutions()...),
		},
		{
			Name: "missing", Kind: KindText, Purpose: "with resolve=newest or rules, what to do about a row that a node lacks; the default is insert",
			Allowed: allowedMissing(), Values: valuesOf(missingModes()...), Example: MissingInsert,
		},
		{
			Name: "max_clock_skew", Kind: KindText, Purpose: "with resolve=newest or rules, how close two commit times may be before neither is newer; the default is 1s",
			Allowed: allowedDelay, Values: Values{Pattern: patternDelay}, Example: "1s",
		},
		rulesParam(false, "with resolve=rules, the rules document"),
	}
}

// UndecidedKey is a key that a repair by rule leaves alone.
type UndecidedKey struct {
	Key    []string `json:"key"`
	Reason string   `json:"reason"`
}
