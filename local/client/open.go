package client

import (
	"context"
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"

	"ace/shared/api"
)

// open runs `ace open ID`: it shows the HTML page of a document in a browser. If no
// browser can be started, it prints the address. With --json it prints the address only.
func open(ctx context.Context, s *session) error {
	id, err := s.taskID()
	if err != nil {
		return err
	}

	address, err := s.page(ctx, id)
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) {
		raw, err := json.Marshal(map[string]string{"task_id": id, "address": address})
		writeJSON(s.Stdout, append(raw, '\n'))
		return err
	}
	if !s.browse(ctx, address) {
		writeLine(s.Stdout, "%s", address)
	}
	return nil
}

// page returns the address of the page of a document. A browser cannot use a service that
// ends with this command, needs a token or listens on a Unix socket. In these cases, page
// downloads the page to a file and returns the address of the file.
func (s *session) page(ctx context.Context, id string) (string, error) {
	address := fileAddress(api.RouteDiff, id, formatOf(api.FormatHTML))
	if !s.local && s.server.browsable {
		response, err := s.server.send(ctx, "GET", address, "", nil) // if the page cannot be fetched, this command reports the error, not the browser
		if err != nil {
			return "", err
		}
		return s.server.base + address, response.Body.Close()
	}

	path := s.path(id + "." + api.FormatHTML)
	if err := s.server.save(ctx, address, path); err != nil {
		return "", err
	}
	s.say("The page is in the file %s", path)
	return (&url.URL{Scheme: "file", Path: path}).String(), nil
}

// browse shows an address in a browser: a command of the variable BROWSER, or else
// xdg-open. It waits until the command has ended, because a browser may need the
// terminal. It returns false if no command succeeded.
func (s *session) browse(ctx context.Context, address string) bool {
	commands := "xdg-open"
	if s.Browser != "" {
		commands = s.Browser
	}
	for command := range strings.SplitSeq(commands, ":") {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if !strings.Contains(command, "%s") {
			words = append(words, "%s")
		}
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "%s", address)
		}
		browser := exec.CommandContext(ctx, words[0], words[1:]...)
		browser.Stdin, browser.Stdout, browser.Stderr = s.Stdin, s.Stdout, s.Stderr
		if browser.Run() == nil {
			return true
		}
	}
	return false
}
