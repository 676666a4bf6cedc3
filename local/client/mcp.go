package client

import (
	"context"
	"net/url"
	"os/signal"
	"syscall"

	"ace/local/mcpserver"
	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/rowpairs"
)

const flagAllowRepair = "allow-repair"

// serveAgent runs `ace mcp`: it answers an agent on Stdin and Stdout until Stdin ends.
func serveAgent(ctx context.Context, s *session) error {
	if _, err := s.args(0, 0, "no argument"); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	err := mcpserver.Serve(ctx, mcpserver.Options{
		Service: agentService{s.server}, Version: s.Version, AllowRepair: s.cmd.Bool(flagAllowRepair),
		Escape: safe, Message: func(err error) string { return asExit(err).Error() },
	}, s.Stdin, s.Stdout)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fault.Wrap(err, fault.Invalid, "the connection with the agent ended: the standard input has no messages of the Model Context Protocol, or the standard output was closed: %v", err)
}

// agentService implements mcpserver.Service by requests to a server.
type agentService struct{ server *Server }

// Get sends a GET request and returns the JSON of the answer.
func (a agentService) Get(ctx context.Context, path string, params url.Values) ([]byte, error) {
	return a.server.get(ctx, path, params)
}

// Submit starts a task and returns its id.
func (a agentService) Submit(ctx context.Context, route api.Route, params url.Values) (string, error) {
	return a.server.submit(ctx, route, params)
}

// Document downloads the document of a task to a temporary file and opens it. The
// returned function deletes the file.
func (a agentService) Document(ctx context.Context, taskID string) (*rowpairs.Document, func(), error) {
	return a.server.document(ctx, taskID)
}
