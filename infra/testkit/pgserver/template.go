package pgserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// template returns an initialised data directory for the options. It creates the
// directory if there is none yet for equal options.
func template(ctx context.Context, w workspace, acc account, in Installation, o Options) (string, error) {
	args := initdbArgs(o)
	key, err := templateKey(in, acc, append(args, o.Password, strconv.Itoa(rounds)))
	if err != nil {
		return "", err
	}
	dir, err := w.once(key, func(dir string) error {
		if err := acc.own(dir); err != nil {
			return err
		}
		return initdb(ctx, acc, in, dir, o.Password, args)
	})
	return filepath.Join(dir, "data"), err
}

// initdbArgs returns the arguments of initdb, the defaults first. If an option occurs
// twice, initdb uses the last value.
func initdbArgs(o Options) []string {
	args := []string{
		"--username=" + Superuser, "--no-sync", "--no-instructions",
		"--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=trust",
	}
	if o.Password != "" {
		args = append(args, "--auth-host=scram-sha-256")
	}
	return append(args, o.InitdbArgs...)
}

// templateKey returns the name of a template. The same template is used for two servers
// only if everything that determines the data directory is equal: the programs, the
// account and args.
func templateKey(in Installation, acc account, args []string) (string, error) {
	info, err := os.Stat(filepath.Join(in.BinDir, "postgres"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d %d %q", in.BinDir, info.Size(), info.ModTime().UnixNano(), acc.uid, args)
	return fmt.Sprintf("template-%d-%s", in.Major, hex.EncodeToString(h.Sum(nil)[:12])), nil
}

// initdb initialises dir/data as the account.
func initdb(ctx context.Context, acc account, in Installation, dir, password string, args []string) error {
	args = append([]string{"--pgdata=" + filepath.Join(dir, "data")}, args...)
	if password != "" {
		file := filepath.Join(dir, "password")
		if err := os.WriteFile(file, []byte(verifier(password)), 0o600); err != nil {
			return err
		}
		if err := acc.own(file); err != nil {
			return err
		}
		args = append(args, "--pwfile="+file)
	}
	return run(acc.command(ctx, dir, filepath.Join(in.BinDir, "initdb"), args...))
}

// copyTree copies a directory with owners and times. It shares blocks if the file system
// supports that.
func copyTree(ctx context.Context, from, to string) error {
	return run(exec.CommandContext(ctx, "cp", "--archive", "--reflink=auto", from, to))
}

// run runs a program. The error of a failed program contains its output.
func run(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, strings.TrimSpace(output.String()))
	}
	return nil
}
