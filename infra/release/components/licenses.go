package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// license matches the names of those files of a module that must be distributed with the
// program, because the license of the module requires it.
var license = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|copyright|patents)([-._].*)?$`)

// collect returns the license files of Go and of the modules. A module without one is an
// error, because it must not be distributed.
func collect(ctx context.Context, modules []module) ([]byte, error) {
	goroot, err := output(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("ace is linked with the following software, under these licenses.\n")
	if err := appendFiles(&out, "the Go standard library", strings.TrimSpace(goroot)); err != nil {
		return nil, err
	}

	dirs, err := directories(ctx, modules)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		if err := appendFiles(&out, m.path+" "+m.version, dirs[m.path]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// directories returns the directory of each module in the module cache, by its path.
func directories(ctx context.Context, modules []module) (map[string]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}}\t{{.Dir}}"}
	for _, m := range modules {
		args = append(args, m.path)
	}
	listed, err := output(ctx, args...)
	if err != nil {
		return nil, err
	}

	dirs := make(map[string]string, len(modules))
	for line := range strings.Lines(listed) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		dirs[path] = dir
	}
	return dirs, nil
}

// appendFiles writes the license files of a directory.
func appendFiles(out *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	found := false
	for _, entry := range entries {
		if entry.IsDir() || !license.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(out, "\n==== %s: %s\n\n%s\n", name, entry.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("%s has no license file in %s", name, dir)
	}
	return nil
}

// output runs the go command and returns what it prints.
func output(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}
