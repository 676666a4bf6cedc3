package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"ace/local/page"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/config"
	"ace/shared/endpoint/httpx"
	"ace/shared/fault"
	"ace/shared/invoke"
	"ace/shared/logging"
	"ace/shared/metrics"
	"ace/shared/notify"
	"ace/shared/runner"
	"ace/shared/schedule"
	"ace/shared/tablediff"
)

const (
	// sweepEvery is the time between two sweeps. A sweep finds the tasks that no process
	// runs, because their process died or their start failed.
	sweepEvery = 15 * time.Second
	// drainTime bounds the wait for running requests after a signal. It does not bound
	// the wait for running tasks, which the queue ends.
	drainTime = 4 * time.Second
)

// serve runs the service until the context ends.
func serve(ctx context.Context, c config.Config) error {
	log := logging.New(os.Stderr, c.LogLevel, c.LogFormat)
	memory := limitMemory(c.MaxTasks)
	if err := protectMemory(c.Debugger); err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // without this call, SIGHUP would end the process
	files, err := prepare(ctx, &c, log)
	if err != nil {
		return err
	}
	jobs, err := readSchedules(c.Schedules)
	if err != nil {
		return err
	}

	certificates, err := openCertificates(c, log)
	if err != nil {
		return err
	}

	listener, err := listen(ctx, c.Listen, "ACE_LISTEN")
	if err != nil {
		return err
	}
	defer listener.Close()

	s, closeService, err := openService(ctx, c, files, log)
	if err != nil {
		return err
	}
	defer closeService()
	s.scheduler = s.app.Scheduler(jobs, s.queue, log)
	s.schedules, s.hangups, s.memory = c.Schedules, hangups, memory
	if certificates != nil {
		s.useTLS(certificates)
		listener = tls.NewListener(listener, certificates.listenerConfig())
	}

	// Tasks of a former process start before any task of a new request.
	if err := s.resume(ctx, c.Store.Embedded); err != nil {
		return err
	}

	server, err := s.server(c)
	if err != nil {
		return err
	}

	warnIfMissing(ctx, log, c)
	for _, doubt := range doubts(c, files) {
		log.WarnContext(ctx, "a file is less closed than it should be", "file", doubt)
	}
	log.InfoContext(ctx, "serving", "address", listener.Addr().String(), "tls", certificates != nil, "archive", c.Store.String(),
		"clusters", c.Clusters, "version", version())
	return s.run(ctx, server, listener, c.Pprof)
}

// prepare makes the service independent of libpq's variables and of the working
// directory: it removes these variables from the environment, and makes the paths of the
// configuration absolute. It returns the paths of the service files.
func prepare(ctx context.Context, c *config.Config, log *slog.Logger) (files []config.ServiceFile, err error) {
	if err := warnOfSettings(ctx, log, *c); err != nil {
		return nil, err
	}
	if err := makeAbsolute(c); err != nil {
		return nil, err
	}
	return serviceFiles(*c)
}

// openService opens the archive and the cluster definitions, and returns the service that
// uses them. The caller must call the returned function at the end. It releases the
// leases of running tasks, so that another process can continue them, and closes
// everything.
func openService(ctx context.Context, c config.Config, files []config.ServiceFile, log *slog.Logger) (*service, func(), error) {
	store, err := openStore(ctx, c.Store, log)
	if err != nil {
		return nil, nil, err
	}
	clusters, closeClusters, err := app.Clusters(ctx, c, files)
	if err != nil {
		_ = store.close()
		return nil, nil, err
	}

	sender, closeWebhook, err := openWebhook(c)
	if err != nil {
		closeClusters()
		_ = store.close()
		return nil, nil, err
	}

	s := newService(c, store, clusters, sender, log)
	stopNotifier := s.startNotifier(ctx)
	return s, func() {
		s.queue.Close()
		stopNotifier() // must follow the close of the queue, because tasks end until then
		closeWebhook()
		s.app.Close()
		closeClusters()
		if err := store.close(); err != nil {
			log.Warn("the archive was not closed cleanly; the next start completes this", "error", err)
		}
	}, nil
}

// warnOfSettings logs variables that have no effect, and removes those of libpq from the
// environment.
func warnOfSettings(ctx context.Context, log *slog.Logger, c config.Config) error {
	ignored, err := app.IgnoreVariables()
	if len(ignored) > 0 {
		log.WarnContext(ctx, app.VariablesIgnored, "variables", ignored)
	}
	for _, warning := range c.Warnings {
		log.WarnContext(ctx, warning)
	}
	return err
}

// makeAbsolute makes the paths of the configuration absolute, so that messages name them
// completely.
func makeAbsolute(c *config.Config) error {
	paths := []*string{&c.AceServiceFile, &c.ServiceFile, &c.PassFile, &c.Home, &c.Schedules, &c.TokenFile, &c.CallersFile, &c.WebhookSecretFile, &c.TLSCert, &c.TLSKey, &c.TLSClientCA, &c.ImportDir, &c.Store.CABundle}
	if _, inBucket, _ := c.ClustersBucket(); !inBucket {
		paths = append(paths, &c.Clusters)
	}
	if c.Store.Embedded {
		paths = append(paths, &c.Store.Dir)
	}
	for _, path := range paths {
		if err := absolute(path); err != nil {
			return err
		}
	}
	return nil
}

// absolute makes a path absolute in place. An empty string means no path.
func absolute(path *string) (err error) {
	if *path == "" {
		return nil
	}
	if *path, err = filepath.Abs(*path); err != nil {
		return fault.Wrap(err, fault.Internal, "the working directory is unknown")
	}
	return nil
}

// serviceFiles returns the service files as absolute paths. One of them may be
// ./pg_service.conf.
func serviceFiles(c config.Config) ([]config.ServiceFile, error) {
	files := c.ServiceFiles()
	for i := range files {
		if err := absolute(&files[i].Path); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// warnIfMissing logs a warning if the path in ACE_CLUSTERS does not exist, which is
// usually a mistake. It is not an error, because the definitions may be written later.
func warnIfMissing(ctx context.Context, log *slog.Logger, c config.Config) {
	if _, inBucket, _ := c.ClustersBucket(); inBucket {
		return
	}
	if _, err := os.Stat(c.Clusters); errors.Is(err, fs.ErrNotExist) {
		log.WarnContext(ctx, "ACE_CLUSTERS names nothing that exists: clusters are known from pg_service.conf files only", "path", c.Clusters)
	}
}

// service holds the parts of the service that run until the process ends.
type service struct {
	app      *app.App
	clusters cluster.Source
	queue    *invoke.Queue
	writable func() error // returns the error after which the store accepts no more writes
	log      *slog.Logger

	scheduler     *schedule.Scheduler
	certificates  *certificates    // nil if the service serves no TLS
	schedules     string           // the schedules file; "": there is none
	config        config.Config    // the configuration, with the files that SIGHUP reads again
	callers       caller.Tokens    // the callers whose tokens are accepted; not used if no token is required
	guard         httpx.Options    // which requests are accepted
	command       bool             // the only client is a command in this process
	memory        int64            // the soft memory limit; 0: GOMEMLIMIT is set
	hangups       <-chan os.Signal // has a value after SIGHUP
	metrics       *metrics.Metrics // nil if ACE_METRICS is false
	page          *page.Page       // nil if ACE_PAGE is false
	retentionDays int              // 0: data is kept for ever
	auditDays     int              // 0: the audit log is kept for ever
}

func newService(c config.Config, store *store, clusters cluster.Source, sender notify.Sender, log *slog.Logger) *service {
	capacity := app.LocalCapacity()
	options := app.Options{
		Store: store, Location: store.location, Clusters: clusters, MaxConns: capacity.Parallel * c.MaxTasks,
		StatementTimeout: c.StatementTimeout, RepairAnswerTimeout: c.RepairAnswer, SnapshotMax: c.SnapshotMax, MaxImport: c.MaxImport(), Files: importDir(c.ImportDir), Lease: c.Lease, Patience: c.Patience, Log: log,
		Sender: sender, EventTypes: c.EventTypes(), TakeSnapshot: store.snapshot, Version: version(),
	}
	s := &service{clusters: clusters, writable: store.writable, log: log, config: c, retentionDays: c.RetentionDays, auditDays: c.AuditDays}
	if c.Metrics {
		s.metrics = metrics.New()
		options.Store, options.Observer = s.metrics.Store(store), s.metrics
	}
	s.app = app.New(options)

	var invoker tablediff.Invoker = invoke.NewInProcess(s.app.Worker())
	running := runner.Options{Tasks: s.app.Tasks(), Owner: owner(), Handover: invoke.ErrClosing, Log: log}
	if s.metrics != nil {
		invoker = app.CountRows(invoker, s.metrics.RowsCompared)
		running.LeaseLost = s.metrics.LeaseLost
	}
	tables := app.RunChild(func(ctx context.Context, parent, taskID string) error { return s.queue.RunChild(ctx, parent, taskID) })
	running.Handlers = s.app.Handlers(invoker, tables, capacity)
	s.queue = invoke.NewQueue(c.MaxTasks, c.MaxQueue, runner.New(running).Run)
	if s.metrics != nil {
		s.metrics.WatchQueue(s.queue, c.MaxQueue)
		s.metrics.WatchNodes(s.app.Traffic)
	}
	if notifier := s.app.Notifier(); s.metrics != nil && notifier != nil {
		s.metrics.WatchNotifications(notifier.Stats)
	}
	return s
}

// owner returns the name of this process for leases.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("ace serve on %s, process %d", host, os.Getpid())
}

// resume adds to the queue the tasks that a former process has not ended. The caller must
// call it before any new task is submitted, so that the former tasks start first. ours
// means that this process holds the lock of the data directory. Then the former process
// is known to be dead, so its leases can be taken over at once.
func (s *service) resume(ctx context.Context, ours bool) error {
	ids, err := s.app.Tasks().Open(ctx)
	if err != nil {
		return err
	}
	// The tasks of tables are added before their parents. A running parent also adds its
	// tasks to the queue, but as tasks whose former process may be alive. They would then
	// wait until the leases of that process expire.
	slices.SortStableFunc(ids, func(a, b string) int { return rankOf(a) - rankOf(b) })
	for _, id := range ids {
		s.queue.Resume(id, ours)
	}

	if len(ids) > 0 {
		s.log.InfoContext(ctx, "unfinished tasks found", "count", len(ids))
	}
	return nil
}

// rankOf returns 1 for the id of a parent, and 0 for the id of any other task.
func rankOf(taskID string) int {
	if api.IsParentID(taskID) {
		return 1
	}
	return 0
}

// sweep finds and resumes tasks that no process runs, until the context ends.
func (s *service) sweep(ctx context.Context) {
	every(ctx, sweepEvery, func() {
		ids, err := s.app.Tasks().Open(ctx)
		if err != nil {
			s.log.WarnContext(ctx, "open tasks cannot be listed", "error", err)
			return
		}
		for _, id := range ids {
			s.queue.Resume(id, false)
		}
	})
}

// every calls fn at intervals, for the first time after one interval, until the context
// ends.
func every(ctx context.Context, interval time.Duration, fn func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			fn()
		}
	}
}
