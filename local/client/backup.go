package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v3"

	"ace/shared/api"
	"ace/shared/backup"
	"ace/shared/fault"
)

const backupUsage = "FILE, the file to write, or - for the standard output"

// backUp runs `ace backup FILE`. It verifies each object while it writes the file.
func backUp(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, backupUsage)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	if args[0] == "-" {
		if isTerminal(s.Stdout) {
			return fault.New(fault.Invalid, "a backup cannot be written to a terminal: redirect the standard output")
		}
		manifest, err := s.receiveBackup(ctx, s.Stdout)
		if err != nil {
			return err
		}
		return s.finishBackup("the standard output", manifest, false)
	}

	file, err := createPartial(s.path(args[0]))
	if err != nil {
		return err
	}
	defer file.abandon()
	manifest, err := s.receiveBackup(ctx, file)
	if err != nil {
		return err
	}
	if err := file.publish(); err != nil {
		return fault.New(fault.Invalid, "the backup cannot be written: %v", err)
	}
	return s.finishBackup(args[0], manifest, s.cmd.Bool(flagJSON))
}

// receiveBackup writes a backup to out and verifies it.
func (s *session) receiveBackup(ctx context.Context, out io.Writer) (backup.Manifest, error) {
	response, err := s.server.send(ctx, http.MethodPost, api.RouteBackup.Path(""), "", nil)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer response.Body.Close()
	w := &remembering{Writer: out}
	received := io.TeeReader(response.Body, w)
	manifest, err := s.readBackup(received)
	if err == nil {
		_, err = io.Copy(io.Discard, received) // the end of the response
	}
	switch {
	case w.err != nil:
		return manifest, fault.New(fault.Invalid, "the backup cannot be written: %v", w.err)
	case ctx.Err() != nil:
		return manifest, &ExitError{ExitCancelled, "the backup was interrupted"}
	case fault.CodeOf(err) == fault.Internal || errors.Is(err, io.ErrUnexpectedEOF):
		return manifest, fault.New(fault.Unavailable, "the backup was interrupted; the log of the service has the reason")
	}
	return manifest, err
}

// remembering notes the error of a writer, to distinguish it from that of the reader.
type remembering struct {
	io.Writer
	err error
}

func (w *remembering) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// readBackup verifies a backup, and draws the progress.
func (s *session) readBackup(in io.Reader) (backup.Manifest, error) {
	var objects, bytes int64
	var drawn time.Time
	manifest, err := backup.Read(in, func(o backup.Object) error {
		n, err := io.Copy(io.Discard, o.Content)
		objects++
		bytes += n
		if s.tty && time.Since(drawn) > 200*time.Millisecond {
			drawn = time.Now()
			fmt.Fprintf(s.Stderr, "\r%s objects, %s\x1b[K", humanize.Comma(objects), humanize.Bytes(uint64(bytes)))
		}
		return err
	})
	if !drawn.IsZero() {
		fmt.Fprint(s.Stderr, "\r\x1b[K")
	}
	return manifest, err
}

// finishBackup prints what a verified backup has, and returns the exit status as an
// error.
func (s *session) finishBackup(name string, m backup.Manifest, asJSON bool) error {
	if asJSON {
		raw, err := json.Marshal(m)
		if err != nil {
			return err
		}
		writeJSON(s.Stdout, append(raw, '\n'))
	} else {
		s.say("%s: %s objects, %s, as of %s; all verified", name, humanize.Comma(m.Objects), humanize.Bytes(uint64(m.Bytes)), m.TakenAt.Format(time.RFC3339))
	}
	return DamagedError(m)
}

// DamagedError returns an error with the status ExitDiffer if the archive had damaged
// objects when the backup was made.
func DamagedError(m backup.Manifest) error {
	if m.DamagedCount() == 0 {
		return nil
	}
	names := strings.Join(m.Damaged[:min(len(m.Damaged), 5)], ", ")
	return &ExitError{ExitDiffer, fmt.Sprintf("the backup is complete, but %d objects were damaged in the archive already: %s", m.DamagedCount(), names)}
}

// verifyBackup runs `ace backup verify FILE`. It uses no service.
func (o Options) verifyBackup(_ context.Context, cmd *cli.Command) error {
	s := &session{Options: o, cmd: cmd, tty: isTerminal(o.Stderr)}
	args, err := s.args(1, 1, "FILE, a backup, or - for the standard input")
	if err != nil {
		return asExit(err)
	}
	in, name := o.Stdin, "the standard input"
	if args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return &ExitError{ExitFailed, fmt.Sprintf("the backup cannot be read: %v", err)}
		}
		defer file.Close()
		in, name = file, args[0]
	}
	manifest, err := s.readBackup(in)
	if err != nil {
		return asExit(err)
	}
	return asExit(s.finishBackup(name, manifest, cmd.Bool(flagJSON)))
}

// backupCommand returns `ace backup` and `ace backup verify`.
func (o Options) backupCommand() *cli.Command {
	return o.command(&cli.Command{
		Name: "backup", Category: categoryArchive, ArgsUsage: "FILE", Usage: "write a backup of the archive to a file",
		Description: "FILE is the file to write, or - for the standard output. It must not exist. The service keeps running.\n" +
			"The SHA-256 of every object is verified. The exit status is 1 if objects are damaged in the archive itself.\n" +
			"The service must have its archive in a directory; a bucket has versioning and replication.\n" +
			"Example: ace backup /backup/ace-2024-03-15.tar\n" +
			"Example: ssh dbhost ace backup - | zstd > ace.tar.zst",
		Commands: []*cli.Command{{
			Name: "verify", ArgsUsage: "FILE", Usage: "verify the file of a backup",
			Description: "FILE is a backup, or - for the standard input. Uses no service.\nExample: ace backup verify /backup/ace-2024-03-15.tar",
			Flags:       []cli.Flag{&cli.BoolFlag{Name: flagJSON, Usage: "print the last entry of the backup and nothing else"}},
			Action:      o.verifyBackup, OnUsageError: badUsage,
		}},
	}, backUp)
}
