package tablerepair

import (
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/redact"
)

// CheckScripts returns an error if SQL scripts are requested and columns are redacted,
// because a script must contain the values that it writes.
func CheckScripts(scripts bool, redacted []string) error {
	if !scripts || len(redacted) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "generate_sql=true would write the values of redacted columns (%s) into a script: repair without a script, or compare again without redact",
		strings.Join(redacted, ", "))
}

// redact adds columns to the redacted columns of the plan. It fails if the plan requests
// SQL scripts (see CheckScripts).
func (p *Plan) redact(columns []string) error {
	if err := CheckScripts(p.Scripts, columns); err != nil {
		return err
	}
	all := slices.Clone(p.Redaction.Columns)
	for _, name := range columns {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) > len(p.Redaction.Columns) {
		p.Redaction = redact.New(all)
	}
	return nil
}

// redacted returns the names of the redacted columns of a manifest.
func (m *Manifest) redacted() []string {
	var names []string
	for _, c := range m.Columns {
		if c.Redacted {
			names = append(names, c.Name)
		}
	}
	return names
}

// redact returns the change with hashes instead of the values of redacted columns. The
// returned change may only be reported. It must not be written to a table, which would
// store the hashes there.
func (c change) redact(h *redact.Hasher) change {
	if h == nil {
		return c
	}
	c.Before = h.Row(c.Key, c.Before)
	if c.Op == opInsert {
		c.After = h.Row(c.Key, c.After)
	} else {
		c.After = h.Values(c.Key, c.Columns, c.After)
	}
	c.Wanted = h.Values(c.Key, c.WantedColumns, c.Wanted)
	return c
}

// rowHasher returns the Hasher that redacts the rows of a target for the report. It
// returns nil if no column of the target is redacted.
func (p *Plan) rowHasher(t *Target) *redact.Hasher {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return p.Redaction.Hasher(names)
}
