package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"ace/infra/testkit/pgserver"
)

// Sizes of the file systems that a fault fills.
const (
	tablespaceSize = "24m"
	archiveSize    = "256m"
)

// prepare creates databases, tables, the archive and the services of the run.
func (r *run) prepare(ctx context.Context) error {
	var err error
	if r.dir, err = os.MkdirTemp(r.bed.dir, "run-"); err != nil {
		return err
	}
	r.release = append(r.release, func() error { return os.RemoveAll(r.dir) })
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range r.bed.nodes {
		if target, ok := r.has("disk full of node"); ok && target == i {
			if err := r.mountTablespace(i); err != nil {
				return err
			}
		}
		group.Go(func() error { return r.prepareNode(groupCtx, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if target, ok := r.has("failover of node"); ok {
		if err := r.addStandby(ctx, r.bed.nodes[target]); err != nil {
			return err
		}
	}
	if target, ok := r.has(conflictFault); ok {
		if err := r.addReader(ctx, target); err != nil {
			return err
		}
	}
	if err := r.startServices(); err != nil {
		return err
	}
	for _, s := range r.services {
		if err := s.ready(ctx, r.client); err != nil {
			return err
		}
	}
	return nil
}

// mount mounts a file system in memory of a limited size.
func (r *run) mount(dir, size string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		return fmt.Errorf("mounting %s: %w", dir, err)
	}
	r.release = append(r.release, func() error { return unix.Unmount(dir, unix.MNT_DETACH) })
	return nil
}

func (r *run) mountTablespace(i int) error {
	dir := filepath.Join(r.dir, fmt.Sprintf("tablespace%d", i))
	if err := r.mount(dir, tablespaceSize); err != nil {
		return err
	}
	for _, path := range []string{r.bed.dir, r.dir} { // the server's account must reach it
		if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // it has nothing secret
			return err
		}
	}
	r.tablespaces[i] = dir
	inside := filepath.Join(dir, "pg")
	if err := os.Mkdir(inside, 0o700); err != nil {
		return err
	}
	return r.bed.nodes[i].primary().Own(dir, inside)
}

// prepareNode creates the database and the tables of a node.
func (r *run) prepareNode(ctx context.Context, i int) error {
	n := r.bed.nodes[i]
	admin := []string{
		`DROP DATABASE IF EXISTS ` + database + ` WITH (FORCE)`, `DROP TABLESPACE IF EXISTS small`,
		`CREATE DATABASE ` + database,
	}
	tablespace := ""
	if dir := r.tablespaces[i]; dir != "" {
		tablespace = "small"
		admin = append(admin, fmt.Sprintf(`CREATE TABLESPACE small LOCATION '%s'; `, filepath.Join(dir, "pg")))
		r.release = append(r.release, func() error {
			ctx := context.Background()
			_, err := n.queryIn(ctx, "postgres", `DROP DATABASE IF EXISTS `+database+` WITH (FORCE)`, `DROP TABLESPACE IF EXISTS small`)
			return err
		})
	}
	if _, err := n.queryIn(ctx, "postgres", admin...); err != nil {
		return err
	}
	setup := []string{
		`DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ace') THEN CREATE ROLE ace LOGIN; END IF; END $$`,
		`ALTER ROLE ace CONNECTION LIMIT -1; GRANT USAGE ON SCHEMA public TO ace; GRANT SET ON PARAMETER session_replication_role TO ace`,
		`GRANT EXECUTE ON FUNCTION pg_replication_origin_oid(text), pg_replication_origin_create(text), pg_replication_origin_session_setup(text) TO ace`,
	}
	for _, name := range slices.Sorted(maps.Keys(tables())) {
		t := tables()[name]
		in := ""
		if name == "fixed" || name == "ruled" {
			in = tablespace
		}
		setup = append(setup, t.create(i, in)...)
	}
	setup = append(setup, `CREATE PUBLICATION still FOR TABLE still`, `CREATE PUBLICATION paged FOR TABLE paged`)
	_, err := n.query(ctx, setup...)
	return err
}

// addStandby starts a standby of a node, which confirms every commit.
func (r *run) addStandby(ctx context.Context, n *node) error {
	standby, err := pgserver.StartCopy(ctx, n.primary(), true)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.standby = standby
	n.mu.Unlock()
	if _, err := n.queryIn(ctx, "postgres", `ALTER SYSTEM SET synchronous_standby_names = '*'`, `SELECT pg_reload_conf()`); err != nil {
		return err
	}
	r.release = append(r.release, func() error { return r.dropStandby(n) })
	return n.awaitStandby(ctx)
}

// dropStandby removes a standby that has not taken over.
func (r *run) dropStandby(n *node) error {
	n.mu.Lock()
	standby := n.standby
	n.standby = nil
	n.mu.Unlock()
	if standby == nil {
		return nil
	}
	_, err := n.queryIn(context.Background(), "postgres", `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`)
	if err != nil {
		return err
	}
	return standby.Close()
}

// startServices creates the archive, the definition of the cluster, and starts the
// services.
func (r *run) startServices() error {
	clusters := filepath.Join(r.dir, "clusters")
	if err := r.define(clusters, clusterName, r.bed.nodes); err != nil {
		return err
	}
	if target, ok := r.has(conflictFault); ok {
		nodes := slices.Clone(r.bed.nodes)
		nodes[target] = r.reader
		if err := r.define(clusters, readingCluster, nodes); err != nil {
			return err
		}
	}
	if err := r.writeSchedules(schedules); err != nil {
		return err
	}
	environ, err := r.environ()
	if err != nil {
		return err
	}
	for i := range r.plan.services {
		home := filepath.Join(r.dir, fmt.Sprintf("service%d", i+1))
		if err := os.MkdirAll(filepath.Join(home, "tmp"), 0o700); err != nil {
			return err
		}
		s, err := startService(i, func(address string) *exec.Cmd {
			command := exec.Command(r.bed.binary, "serve", "--listen", address, "--clusters", clusters) //nolint:noctx // service.stop ends it
			command.Dir = home
			command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + filepath.Join(home, "tmp")}, environ...)
			if i == 0 {
				command.Env = append(command.Env, "ACE_SCHEDULES="+r.schedulesFile())
			}
			return command
		})
		if err != nil {
			return err
		}
		r.services = append(r.services, s)
	}
	r.client = newClient(r.services)
	return nil
}

// environ returns the settings of the services.
func (r *run) environ() ([]string, error) {
	env := []string{
		"ACE_LEASE=" + lease.String(), "ACE_PATIENCE=" + patience.String(), "ACE_STATEMENT_TIMEOUT=" + statement.String(),
		"ACE_REPAIR_ANSWER_TIMEOUT=" + repairAnswer.String(), "ACE_MAX_TASKS=4", "ACE_LOG_LEVEL=info",
	}
	if r.memory != "" {
		env = append(env, "GOMEMLIMIT="+r.memory)
	}
	if r.store == storeMinIO {
		o := r.bed.minio.Options(bucket)
		return append(env, "AWS_ACCESS_KEY_ID="+o.AccessKey, "AWS_SECRET_ACCESS_KEY="+o.SecretKey,
			fmt.Sprintf("ACE_STORE=s3://%s/%s?endpoint=%s&region=%s", o.Bucket, r.prefix(), r.bed.front.endpoint(), o.Region)), nil
	}
	r.storeDir = filepath.Join(r.dir, "store")
	if os.Geteuid() == 0 {
		if err := r.mount(r.storeDir, archiveSize); err != nil {
			return nil, err
		}
	}
	return append(env, "ACE_STORE=file://"+filepath.Join(r.storeDir, "archive")), nil
}

// prefix returns the prefix of the run's archive in the bucket.
func (r *run) prefix() string { return filepath.Base(r.dir) }

// define writes the definition of a cluster, whose nodes are the proxies.
func (r *run) define(dir, name string, nodes []*node) error {
	type object = map[string]any
	var groups []object
	for _, n := range nodes {
		groups = append(groups, object{"name": n.name, "is_active": "on", "public_ip": pgserver.Host, "port": n.port()})
	}
	definition, err := json.Marshal(object{
		"cluster_name": name,
		"pgedge":       object{"databases": []object{{"db_name": database, "db_user": aceRole, "db_password": "unused", "sslmode": "disable", "connect_timeout": "2"}}},
		"node_groups":  groups,
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".json"), definition, 0o600)
}
