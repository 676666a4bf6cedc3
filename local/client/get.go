package client

import (
	"context"
	"os"

	"github.com/dustin/go-humanize"

	"ace/shared/api"
	"ace/shared/fault"
)

const flagFile = "output-file"

// get runs `ace get ID`: it downloads a document or a rendering of it.
func get(ctx context.Context, s *session) error {
	return s.fetch(ctx, api.RouteDiff, s.cmd.String("format"), "")
}

// report runs `ace report ID`: it downloads the report of a repair.
func report(ctx context.Context, s *session) error {
	return s.fetch(ctx, api.RouteReport, "", ".report")
}

// beforeImages runs `ace before-images ID`: it downloads the rows as they were before a
// repair or undo.
func beforeImages(ctx context.Context, s *session) error {
	return s.fetch(ctx, api.RouteBefore, "", ".before-images")
}

// fetch downloads a file of a task: to the path in --output-file, to Stdout if that path
// is "-", or else to a file in the current directory whose name is the task's id, suffix
// and the format.
func (s *session) fetch(ctx context.Context, route api.Route, format, suffix string) error {
	args, err := s.args(1, 1, "TASK, the id of a task")
	if err != nil {
		return err
	}
	id := args[0]
	if !api.IsTaskID(id) {
		return fault.New(fault.Invalid, "%q is no task id; task ids look like td_20240315_123456", id)
	}

	address := fileAddress(route, id, format)
	path := s.cmd.String(flagFile)
	if path == "-" {
		return s.server.download(ctx, address, s.Stdout)
	}
	if path == "" {
		if format == "" {
			format = api.FormatJSON
		}
		path = id + suffix + "." + format
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
