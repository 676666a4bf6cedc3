package tablerepair

import (
	"context"
	"strconv"

	"ace/shared/fault"
	"ace/shared/resolve"
	"ace/shared/rules"
)

// decider returns what decides the keys of a repair by rule. first is the node of the
// first voter, which evaluates the expressions of a rules document.
func (p *Plan) decider(ctx context.Context, first Node) (resolve.Decider, error) {
	r := p.Resolve
	newest := resolve.NewestOptions{Skew: r.Skew, TieBreaker: r.voter(r.TieBreaker), Missing: r.Missing}
	switch r.Strategy {
	case Newest:
		return resolve.Newest(r.names(), newest), nil
	case Majority:
		return resolve.Majority(r.names()), nil
	case Union:
		return resolve.Union(r.names()), nil
	case FillNulls:
		return resolve.FillNulls(r.names(), r.Columns), nil
	case Rules:
		document, err := rules.Parse([]byte(r.Document))
		if err != nil {
			return nil, err
		}
		return rules.NewDecider(ctx, document, rules.Options{
			Table:  rules.Table{Nodes: r.names(), Columns: r.Columns, Key: p.Key},
			Newest: newest,
			Server: rules.On(first, *r.Evaluation, r.Columns),
		})
	}
	return nil, fault.New(fault.Internal, "the plan has the strategy %q, which this version does not know", r.Strategy)
}

// labels returns the number of keys by the label of the rule that decided, for the
// numbers of keys by the number of the rule.
func (r *Resolution) labels(counts map[int]int64) map[string]int64 {
	label := strconv.Itoa
	if document, err := rules.Parse([]byte(r.Document)); err == nil { // the decider has reported an error
		label = document.Label
	}
	var labelled map[string]int64
	for number, count := range counts {
		if labelled == nil {
			labelled = map[string]int64{}
		}
		labelled[label(number)] = count
	}
	return labelled
}

// setRules reads what the plan depends on from the rules document.
func (r *Resolution) setRules() error {
	r.ComparesTimes, r.Composes = r.Strategy == Newest, r.Strategy == FillNulls
	if r.Strategy != Rules {
		return nil
	}
	document, err := rules.Parse([]byte(r.Document))
	if err != nil {
		return err
	}
	r.ComparesTimes, r.Composes = document.Needs().Times, document.Composes()
	return nil
}
