//go:build !unit

package main_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// hangUp sends SIGHUP.
func (p *process) hangUp(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// Case O-P29, see docs/RELIABILITY.md.
func TestServe_ReadsItsSchedulesAgainAfterSIGHUP(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(h.dir, "schedules.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	job := func(name, when string) string {
		return "  - {name: " + name + ", cluster_name: " + c.Name + ", table_name: public.tiny, crontab_schedule: " + when + "}\n"
	}
	write("jobs:\n" + job("one", "0 0 29 2 *"))
	s := h.serve(t, settings{"ACE_SCHEDULES": "schedules.yaml"})
	names := func() string {
		var list api.ScheduleList
		s.read(t, "/ace/schedules", "", &list)
		var names []string
		for _, one := range list.Schedules {
			names = append(names, one.Name)
		}
		return strings.Join(names, " ")
	}
	defer hold(t, c, "tiny")() // the reload must not affect a running task
	id := s.submit(t, c, "public.tiny")
	eventually(t, startTimeout, "the task runs", func() bool { return s.status(t, id).Status == api.StatusRunning })

	write("jobs:\n" + job("one", "0 0 29 2 *") + job("two", "0 0 29 2 *"))
	s.hangUp(t)
	eventually(t, startTimeout, "both jobs are listed", func() bool { return names() == "one two" })

	for text, want := range map[string]string{
		"jobs:\n" + job("one", "0 0 * * 9"): `schedules.yaml, line 2, job one: crontab_schedule is "0 0 * * 9": the day of the week "9" is not valid`,
		"jobs: [":                           "not valid YAML",
	} {
		write(text)
		s.hangUp(t)
		eventually(t, startTimeout, "the mistake is logged: "+want, func() bool {
			return strings.Contains(strings.ReplaceAll(s.output.String(), `\"`, `"`), want)
		})
	}
	if got := names(); got != "one two" || s.status(t, id).Status != api.StatusRunning {
		t.Errorf("listed are %s; the task is %s", got, s.status(t, id).Status)
	}
	if got := s.logged(t, "schedules not reloaded; the previous ones are still used", "level"); got != "ERROR" {
		t.Errorf("a mistake is logged as %s", got)
	}
}

func TestServe_SurvivesSIGHUPWithoutSchedules(t *testing.T) {
	t.Parallel()
	s := home{dir: t.TempDir(), password: "there is no password"}.serve(t, nil)
	s.hangUp(t)
	s.logged(t, "reloaded after SIGHUP", "level")
	s.get(t, "/healthz", "")
	s.hangUp(t)
	if code, _ := s.terminate(t, startTimeout); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Case O-P15, see docs/RELIABILITY.md. The program runs in a directory that has nothing
// but the program and its libraries, so there are no files of time zones. A second job in
// the schedules file has a mistake: the test expects no other error.
func TestServe_KnowsTimeZonesOnAHostWithoutFilesOfThem(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, file := range append(libraries(t), binary) {
		copyInto(t, root, file)
	}
	text := "jobs:\n" +
		"  - {name: a, cluster_name: demo, table_name: public.users, crontab_schedule: CRON_TZ=Europe/Berlin 30 2 * * 7}\n" +
		"  - {name: b, cluster_name: demo, table_name: public.users, crontab_schedule: CRON_TZ=Berlin 30 2 * * *}\n"
	if err := os.WriteFile(filepath.Join(root, "schedules.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve")
	cmd.Dir, cmd.Env = "/", []string{"ACE_SCHEDULES=/schedules.yaml", "HOME=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	output, err := cmd.CombinedOutput()
	const want = `ace: /schedules.yaml, line 3, job b: crontab_schedule is "CRON_TZ=Berlin 30 2 * * *": ` +
		`there is no time zone "Berlin" (did you mean Europe/Berlin?); it must be `
	if cmd.ProcessState.ExitCode() != exitConfig || !strings.HasPrefix(string(output), want) {
		t.Errorf("%v:\n%s", err, output)
	}
}

// libraries returns the files that the program needs to start.
func libraries(t *testing.T) []string {
	t.Helper()
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	if program.Section(".interp") == nil {
		return nil // the program is linked statically
	}
	output, err := exec.Command("ldd", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for word := range strings.FieldsSeq(string(output)) {
		if filepath.IsAbs(word) {
			files = append(files, word)
		}
	}
	return files
}

// copyInto copies a file to the same path below root.
func copyInto(t *testing.T, root, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(root, file), data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
