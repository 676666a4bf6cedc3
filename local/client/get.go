package client

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"

	"github.com/dustin/go-humanize"

	"ace/shared/api"
)

const flagFile = "output-file"

// get runs `ace get ID`: it downloads a document or a rendering of it.
func get(ctx context.Context, s *session) error {
	return s.fetch(ctx, api.RouteDiff, formatOf(s.cmd.String("format")), "")
}

// report runs `ace report ID`: it downloads the report of a repair, or the script of a
// dry run.
func report(ctx context.Context, s *session) error {
	params, suffix := formatOf(s.cmd.String("format")), ".report"
	if params.Get("format") == api.FormatSQL {
		suffix = ""
	}
	if node := s.cmd.String("node"); node != "" {
		params.Set("node", node)
		suffix = "." + node
	}
	return s.fetch(ctx, api.RouteReport, params, suffix)
}

// formatOf returns the parameters that request a format. JSON needs none.
func formatOf(format string) url.Values {
	params := url.Values{}
	if format != api.FormatJSON {
		params.Set("format", format)
	}
	return params
}

// beforeImages runs `ace before-images ID`: it downloads the rows as they were before a
// repair or undo.
func beforeImages(ctx context.Context, s *session) error {
	return s.fetch(ctx, api.RouteBefore, url.Values{}, ".before-images")
}

// taskID returns the only argument of the command, the id of a task whose file it reads.
func (s *session) taskID() (string, error) {
	args, err := s.args(1, 1, "TASK, the id of a task")
	if err != nil {
		return "", err
	}
	return args[0], api.CheckTaskID(args[0])
}

// fetch downloads the file of a task that params select, to the path in --output-file. If
// that path is "-", it writes to Stdout. If it is empty, the file is in the current
// directory, and its name consists of the task's id, suffix and the format.
func (s *session) fetch(ctx context.Context, route api.Route, params url.Values, suffix string) error {
	id, err := s.taskID()
	if err != nil {
		return err
	}

	address := fileAddress(route, id, params)
	path := s.cmd.String(flagFile)
	if path == "-" {
		return s.downloadToStdout(ctx, address)
	}
	if path == "" {
		path = id + suffix + "." + cmp.Or(params.Get("format"), api.FormatJSON)
		if err := overwritable(s.path(path)); err != nil {
			return err
		}
	}

	if err := s.server.save(ctx, address, s.path(path)); err != nil {
		return err
	}
	info, err := os.Stat(s.path(path))
	if err != nil {
		return err
	}
	s.say("%s (%s)", path, humanize.Bytes(uint64(info.Size())))
	return nil
}

// downloadToStdout writes a file of the archive to Stdout. A terminal gets the file with
// its unsafe characters escaped.
func (s *session) downloadToStdout(ctx context.Context, address string) error {
	out, done := screen(s.Stdout)
	err := s.server.download(ctx, address, out)
	return errors.Join(err, done())
}
