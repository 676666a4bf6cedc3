package tablediff

import (
	"slices"
	"strconv"
	"strings"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/redact"
	"ace/shared/tablediff/plan"
)

// redactColumns marks the compared columns that are redacted. It fails if the request
// names a column that no node has. It also fails for a column of the key, because reruns
// and repairs find rows by the keys in the document. The request may name a column that
// is not compared, because the report of a repair contains the values of all columns.
func (p *planner) redactColumns() error {
	for _, name := range p.request.Redact {
		if slices.Contains(p.plan.Key, name) {
			return fault.New(fault.Invalid, "redact names %q, which is part of the key and cannot be redacted: reruns and repairs find rows by the key", name)
		}
		if !p.exists(name) {
			return fault.New(fault.Invalid, "redact names %q, but the table's columns are %s", name, quoteNames(p.columnNames()))
		}
	}

	p.plan.Columns = slices.Clone(p.plan.Columns)
	for i, c := range p.plan.Columns {
		p.plan.Columns[i].Redacted = p.plan.Redaction.Has(c.Name)
	}
	return nil
}

func (p *planner) exists(column string) bool {
	for _, d := range p.descriptions {
		if _, ok := d.Column(column); ok {
			return true
		}
	}
	return false
}

// columnNames returns the names of the first node's columns.
func (p *planner) columnNames() []string {
	var names []string
	for _, c := range p.descriptions[0].Columns {
		names = append(names, c.Name)
	}
	return names
}

func quoteNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// inheritRedaction adds the redacted columns of the document of a rerun to those of the
// request.
func (p *planner) inheritRedaction(summary difffile.Summary) {
	columns := slices.Clone(summary.Redact)
	for _, name := range p.request.Redact {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	p.plan.Redaction = redact.New(columns)
}

// plainColumns returns the compared columns without the mark Redacted. Redaction does not
// change what is compared, so the settings of a baseline must not depend on it.
func plainColumns(p *plan.Plan) []difffile.Column {
	columns := slices.Clone(p.Columns)
	for i := range columns {
		columns[i].Redacted = false
	}
	return columns
}
