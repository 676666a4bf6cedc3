package plan

import (
	"fmt"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// Locate adds to the error of a unit what the unit reads: a key range, pages, or a block
// of a document's keys. It returns internal errors and cancellations unchanged.
func (p *Plan) Locate(err error, u Unit) error {
	code := fault.CodeOf(err)
	if err == nil || code == fault.Internal || code == fault.Cancelled {
		return err
	}
	return fault.Wrap(err, code, "%s (%s)", fault.PublicMessage(err), p.describe(u))
}

func (p *Plan) describe(u Unit) string {
	switch {
	case u.Phase == PhaseScan || u.Phase == PhaseBuckets || u.Phase == PhaseChanged || u.Phase == PhaseAges:
		return p.describePages(u.Index)
	case p.Strategy == Keys:
		return fmt.Sprintf("block %d of the document's keys", u.From+1)
	}
	return DescribeRange(p.KeyRange(u.From, u.To))
}

// describePages names the pages that a scan unit reads on each node. If the unit reads
// pages of several partitions, describePages names the pages of the first partition and
// the number of further partitions.
func (p *Plan) describePages(unit int) string {
	var nodes []string
	for i, spans := range p.Scans[unit] {
		if len(spans) == 0 {
			continue
		}

		first := spans[0]
		more := 0
		for at, span := range spans[1:] {
			switch {
			case span.Partition == first.Partition:
				first.To = span.To
			case span.Partition != spans[at].Partition:
				more++
			}
		}

		text := describePageRange(p.Sources[i], first)
		if more > 0 {
			text += fmt.Sprintf(" and %d more relations", more)
		}

		nodes = append(nodes, text+" on "+p.Nodes[i])
	}

	return strings.Join(nodes, ", ")
}

func describePageRange(s table.Source, span table.PageRange) string {
	relation := table.WithoutOnly(s.Partitions[span.Partition].Relation)
	if span.To < 0 {
		return fmt.Sprintf("the pages of %s from %d", relation, span.From)
	}
	return fmt.Sprintf("the pages of %s from %d to below %d", relation, span.From, span.To)
}

// DescribeRange describes a key range in words.
func DescribeRange(r table.Range) string {
	switch {
	case r.Lo == nil && r.Hi == nil:
		return "the whole table"
	case r.Lo == nil:
		return "keys below " + r.Hi.String()
	case r.Hi == nil:
		return "keys from " + r.Lo.String()
	}
	return "keys from " + r.Lo.String() + " to below " + r.Hi.String()
}
