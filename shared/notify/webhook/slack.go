package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/visible"
)

// slackMessage is the body that an incoming webhook of Slack accepts. Mattermost,
// Rocket.Chat and Discord (at /slack) accept it too.
type slackMessage struct {
	Text string `json:"text"`
}

// Text describes an event in one line for people, followed by a line for each node that a
// repair changed. The characters that are markup in Slack are escaped.
func Text(event api.Event) string {
	d := event.Data
	lines := []string{fmt.Sprintf("*%s* %s of %s on %s: %s (%s)",
		headline(event.Type), d.TaskType, visible.Line(d.TableName), visible.Line(d.ClusterName), summary(event), d.TaskID)}
	for _, name := range slices.Sorted(maps.Keys(d.Nodes)) {
		lines = append(lines, nodeLine(visible.Line(name), d.Nodes[name]))
	}
	return escape(strings.Join(lines, "\n"))
}

// headline returns the type of an event in capitals, such as DIFFERS or DRY RUN.
func headline(eventType string) string {
	_, name, _ := strings.Cut(eventType, ".")
	return strings.ToUpper(strings.ReplaceAll(name, "_", " "))
}

func summary(event api.Event) string {
	d := event.Data
	switch {
	case d.Error != nil && d.Tables != nil:
		return d.Tables.Describe() + "; the message is at " + d.Links.Status
	case d.Error != nil:
		return reason(*d.Error) + "; the message is at " + d.Links.Status
	case d.Tables != nil:
		return setSummary(d)
	case d.MismatchedRows != nil && d.TotalRows != nil:
		text := fmt.Sprintf("%d of %d rows differ", *d.MismatchedRows, *d.TotalRows)
		if d.UnsettledRows != nil && *d.UnsettledRows > 0 {
			text += fmt.Sprintf(", %d of them were still changing", *d.UnsettledRows)
		}
		return text
	case d.Undoes != "":
		return "undid " + d.Undoes
	case d.SourceOfTruth != "":
		return "source of truth " + d.SourceOfTruth
	}
	return strings.ToLower(d.Status)
}

// setSummary describes the result of a comparison of several tables.
func setSummary(d api.EventData) string {
	text := "tables: " + d.Tables.Describe()
	if d.MismatchedRows != nil && *d.MismatchedRows > 0 {
		text += fmt.Sprintf("; %d rows differ", *d.MismatchedRows)
	}
	if f := d.Findings; f != nil && f.Blocks+f.Drifts+f.Differs > 0 {
		text += fmt.Sprintf("; findings: %d block, %d drift, %d differ", f.Blocks, f.Drifts, f.Differs)
	}
	return text
}

// reason describes an error without its message.
func reason(e api.EventError) string {
	text := e.Code
	if e.Node != "" {
		text += ", node " + e.Node
	}
	if e.SQLState != "" {
		text += ", SQLSTATE " + e.SQLState
	}
	return text
}

func nodeLine(name string, n api.EventNode) string {
	text := fmt.Sprintf("%s: %d inserted, %d updated, %d deleted", name, n.Inserted, n.Updated, n.Deleted)
	if n.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	if n.Unrepairable > 0 {
		text += fmt.Sprintf(", %d unrepairable", n.Unrepairable)
	}
	if n.Outcome != "" {
		text += ", " + n.Outcome
	}
	return text
}

// escape replaces the characters that Slack reads as markup of links and mentions.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
