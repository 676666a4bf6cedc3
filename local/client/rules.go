package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/urfave/cli/v3"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/rules"
)

// rulesCommand returns the command `ace rules` with its subcommands.
func (o Options) rulesCommand() *cli.Command {
	check := o.command(&cli.Command{
		Name: "check", ArgsUsage: "FILE", Usage: "check a rules document on this machine",
		Description: "Uses no service. Each mistake is reported with its line. FILE may be - for the standard input.\n" +
			"Example: ace rules check orders.yaml",
	}, nil)
	check.Action = func(_ context.Context, cmd *cli.Command) error {
		return asExit(checkRules(&session{Options: o, cmd: cmd}))
	}

	return &cli.Command{
		Name: "rules", Category: categoryTasks, Usage: "check, store and show rules documents, which decide rows of a repair",
		Description: "Example: ace rules check orders.yaml\nExample: ace rules add orders.yaml",
		Commands: []*cli.Command{
			check,
			o.command(&cli.Command{
				Name: "add", ArgsUsage: "FILE", Usage: "store a rules document and print its SHA-256",
				Description: "The same text always has the same SHA-256. FILE may be - for the standard input.\n" +
					"Example: ace rules add orders.yaml",
			}, addRules),
			o.command(&cli.Command{
				Name: "show", ArgsUsage: "SHA256", Usage: "print a stored rules document",
				Description: "Example: ace rules show 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			}, showRules),
		},
	}
}

// checkRules runs `ace rules check FILE`.
func checkRules(s *session) error {
	text, name, err := s.rulesFile()
	if err != nil {
		return err
	}
	document, err := rules.Parse(text)
	if err != nil {
		return err
	}
	writeLine(s.Stdout, "%s: no mistake found, rules: %d", name, len(document.Rules))
	return nil
}

// addRules runs `ace rules add FILE`.
func addRules(ctx context.Context, s *session) error {
	text, _, err := s.rulesFile()
	if err != nil {
		return err
	}

	raw, err := s.server.call(ctx, http.MethodPost, string(api.RouteRules), "application/yaml", func() io.Reader { return bytes.NewReader(text) })
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
		return nil
	}
	var added api.AddedRules
	if err := decode(raw, string(api.RouteRules), &added); err != nil {
		return err
	}
	writeLine(s.Stdout, "%s", added.Rules)
	return nil
}

// showRules runs `ace rules show SHA256`.
func showRules(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "SHA256, as ace rules add prints it")
	if err != nil {
		return err
	}

	raw, err := s.server.get(ctx, string(api.RouteRules), url.Values{"rules": {args[0]}})
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
		return nil
	}
	var stored api.Rules
	if err := decode(raw, string(api.RouteRules), &stored); err != nil {
		return err
	}
	out, done := screen(s.Stdout)
	write(out, stored.Document)
	return done()
}

// rulesFile returns the text and the name of the file that is the only argument.
func (s *session) rulesFile() (text []byte, name string, err error) {
	args, err := s.args(1, 1, "FILE, a rules document")
	if err != nil {
		return nil, "", err
	}

	from := s.Stdin
	if name = args[0]; name != "-" {
		file, err := os.Open(s.path(name))
		if err != nil {
			return nil, "", fault.New(fault.Invalid, "the rules document cannot be read: %v", err)
		}
		defer file.Close()
		from = file
	}
	text, err = io.ReadAll(io.LimitReader(from, api.MaxRules+1)) // one byte more, so that a document that is too large is refused
	if err != nil {
		return nil, "", fault.New(fault.Invalid, "the rules document cannot be read: %v", err)
	}
	return text, name, nil
}
