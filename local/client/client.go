package client

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"ace/shared/fault"
)

// Options are what the commands need from the program.
type Options struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	NoColor        bool   // the environment variable NO_COLOR is set, so the output has no colors
	Browser        string // the commands in BROWSER, separated by colons; "" means xdg-open
	Version        string // the version of this program
	Listen         string // the address on which a service with this configuration listens (ACE_LISTEN); "" means localhost:5000
	TLS            bool   // a service with this configuration serves TLS (ACE_TLS_CERT)
	// Embed starts the service within this process for the duration of one command. It
	// may change the working directory. resume means that the service also runs the
	// unfinished tasks of earlier processes.
	Embed func(ctx context.Context, resume bool) (*Embedded, error)
}

// Embedded is a service within this process.
type Embedded struct {
	Dial  func(ctx context.Context) (net.Conn, error)
	Close func()
	Store string // the place of the archive, as messages show it
}

// The names of the flags that every command of this package has.
const (
	flagServer    = "server"
	flagTokenFile = "token-file"
	flagCA        = "ca"
	flagCert      = "client-cert"
	flagKey       = "client-key"
	flagJSON      = "json"
	flagColor     = "color"
)

// CommonFlags returns the flags of every command of this package.
func CommonFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: flagServer, Sources: cli.EnvVars("ACE_SERVER"), DefaultText: "localhost:5000; if nothing answers there, this command runs the service itself",
			Usage: "the service: http://host:port, https://host:port or unix:///path",
		},
		&cli.StringFlag{Name: flagTokenFile, Sources: cli.EnvVars("ACE_TOKEN_FILE"), Usage: "file with the token of the service"},
		&cli.StringFlag{Name: flagCA, Sources: cli.EnvVars("ACE_CA"), Usage: "file with the authorities that the certificate of an https service may have, instead of the system's"},
		&cli.StringFlag{Name: flagCert, Sources: cli.EnvVars("ACE_CLIENT_CERT"), Usage: "file with the certificate of this client"},
		&cli.StringFlag{Name: flagKey, Sources: cli.EnvVars("ACE_CLIENT_KEY"), Usage: "file with the key of this client's certificate"},
		&cli.BoolFlag{Name: flagJSON, Usage: "print the JSON of the API and nothing else"},
		&cli.StringFlag{Name: flagColor, Value: "auto", Usage: "colors: auto, always or never"},
	}
}

// session is one run of a command.
type session struct {
	Options
	cmd    *cli.Command
	dir    string // the working directory before Options.Embed was called, which may change it
	server *Server
	local  bool // the service runs within this process
	color  bool
	// tty means that Stderr is a terminal, so progress may be drawn. asks means that
	// Stdin is a terminal too, so the user can answer questions.
	tty, asks bool
}

// action returns the action of a command: it connects to a service, and then calls run.
// It reports a wrong value of --color before it connects.
func (o Options) action(run func(context.Context, *session) error) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		s := &session{Options: o, cmd: cmd, tty: isTerminal(o.Stderr)}
		s.asks = s.tty && isTerminal(o.Stdin)
		switch color := cmd.String(flagColor); color {
		case "auto":
			s.color = !o.NoColor && isTerminal(o.Stdout)
		case "always", "never":
			s.color = color == "always"
		default:
			return &ExitError{ExitFailed, "--color is " + color + "; it must be auto, always or never"}
		}

		var err error
		if s.dir, err = os.Getwd(); err != nil {
			return &ExitError{ExitFailed, "the working directory is unknown: " + err.Error()}
		}
		closeService, err := s.connect(ctx)
		if err != nil {
			return asExit(err)
		}
		defer closeService()
		return asExit(run(ctx, s))
	}
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// connect sets s.server. If --server is not set and no process listens at the default
// address, connect starts the service within this process. The caller must call
// closeService at the end. It ends the service that connect has started, if any.
func (s *session) connect(ctx context.Context) (closeService func(), err error) {
	token, err := readToken(s.cmd.String(flagTokenFile))
	if err != nil {
		return nil, err
	}
	files := tlsFiles{ca: s.cmd.String(flagCA), cert: s.cmd.String(flagCert), key: s.cmd.String(flagKey)}
	none := func() {}
	if address := s.cmd.String(flagServer); address != "" {
		if s.server, err = newServer(address, token, files); err != nil {
			return nil, err
		}
		s.setNote()
		return none, nil
	}

	address := s.defaultServer()
	if s.server, err = newServer(address, token, files); err != nil {
		return nil, err
	}
	if listens(ctx, address) {
		s.setNote()
		return none, nil
	}

	service, err := s.Embed(ctx, s.cmd.Bool(flagWatch))
	if err != nil {
		return nil, err
	}
	s.server, s.local = embeddedServer(service), true
	s.setNote()
	s.say("No service answers at %s, so this command runs one itself, with the archive in %s.", withoutScheme(address), service.Store)
	return service.Close, nil
}

// setNote completes s.server after it was created.
func (s *session) setNote() {
	s.server.note = s.say
	s.server.agent = "ace/" + s.Version + " " + s.cmd.Name
}

// path returns the absolute path of the file called name. A relative name is relative to
// the working directory in which the command was started.
func (s *session) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// say prints a line for people to Stderr.
func (s *session) say(format string, args ...any) {
	writeLine(s.Stderr, format, args...)
}

// defaultServer returns the address at which `ace serve` listens if it has the same
// configuration as this process.
func (s *session) defaultServer() string {
	host, port, err := net.SplitHostPort(s.Listen)
	switch {
	case strings.HasPrefix(s.Listen, "unix://"):
		return s.Listen
	case err != nil:
		return "http://localhost:5000"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http://"
	if s.TLS {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// withoutScheme returns an address that defaultServer has returned without http:// or
// https://.
func withoutScheme(address string) string {
	return strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://")
}

// listens reports whether a process listens at address, which defaultServer has returned.
func listens(ctx context.Context, address string) bool {
	network, target := "tcp", withoutScheme(address)
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		network, target = "unix", path
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, target)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// embeddedServer returns the connection to a service within this process.
func embeddedServer(service *Embedded) *Server {
	server, _ := newServer("localhost", "", tlsFiles{}) // cannot fail: the constant address is valid
	server.http.Transport = dialing(service.Dial)
	return server
}

// readToken returns the token in the file at path, or "" if path is empty.
func readToken(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fault.New(fault.Invalid, "the token file cannot be read: %v", err)
	}
	return strings.TrimSpace(string(raw)), nil
}
