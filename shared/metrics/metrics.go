// Package metrics publishes the metrics of `ace serve` in the format of Prometheus. It is
// the only package that imports the Prometheus library. The packages that it measures
// know it only through interfaces and functions of their own.
//
// No label contains a task id, an error or any other text that a request can choose
// freely. Tables are labels, so their number is limited.
package metrics

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ace/shared/fault"
	"ace/shared/measure"
	"ace/shared/notify"
	"ace/shared/task"
)

// MaxTables is the maximum number of tables, counted once for each scope, that have
// metrics of their own.
const MaxTables = 2000

// Metrics holds the metrics of one process. It is safe for concurrent use.
type Metrics struct {
	families families
	tables   *measure.Tables
	restored atomic.Bool

	submitted     *prometheus.CounterVec
	ended         *prometheus.CounterVec
	durations     *prometheus.HistogramVec
	rows          prometheus.Counter
	leaseLosses   prometheus.Counter
	storeRequests *prometheus.CounterVec
	storeErrors   *prometheus.CounterVec
	requests      *prometheus.CounterVec
	requestTimes  *prometheus.HistogramVec
}

// Queue is the queue of tasks.
type Queue interface {
	Load() (running, waiting int)
}

// New returns the metrics of a process. They are zero, and there are no tables.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	f := families{registry: registry}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	m := &Metrics{
		tables:    measure.NewTables(MaxTables),
		submitted: f.counter("ace_tasks_submitted_total", "Tasks that were created.", "type"),
		ended:     f.counter("ace_tasks_ended_total", "Tasks that ended, by their last state.", "type", "status"),
		durations: f.histogram("ace_task_duration_seconds", "Time from the start of a task to its end. A task that was cancelled before its start is not included.",
			taskBuckets(), "type", "status"),
		rows:        f.counter("ace_rows_compared_total", "Rows that comparisons and reruns have read, on all nodes.").WithLabelValues(),
		leaseLosses: f.counter("ace_lease_losses_total", "Runs that stopped because the lease of the task was lost or could not be renewed.").WithLabelValues(),
		storeRequests: f.counter("ace_store_requests_total", "Calls of the archive, by operation. The library may send several requests for one call.",
			"operation"),
		storeErrors: f.counter("ace_store_errors_total",
			"Calls of the archive that failed. That an object does not exist, or that another process was faster, is not a failure.", "operation"),
		requests:     f.counter("ace_http_requests_total", "HTTP requests that were answered, by route and status.", "route", "method", "code"),
		requestTimes: f.histogram("ace_http_request_duration_seconds", "Time until an HTTP request was answered, with the download of a document.", requestBuckets(), "route"),
	}
	registry.MustRegister(newTableCollector(&f, m.tables))
	f.gauge("ace_table_metrics_restored",
		"1 after the metrics of tables were restored from the archive, which is repeated after an error; 0 before that. Until then, tables may be missing.",
		func() float64 { return number(m.restored.Load()) })
	m.families = f
	m.zero()
	return m
}

// taskBuckets are seconds: from a tenth to a day.
func taskBuckets() []float64 {
	return []float64{0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600}
}

// requestBuckets are seconds: from a request for a status to the download of a document.
func requestBuckets() []float64 { return []float64{0.005, 0.025, 0.1, 0.5, 2, 10, 60, 600} }

// zero creates the counters of all known labels, because Prometheus cannot see that a
// counter has increased if its first value is not zero.
func (m *Metrics) zero() {
	for _, kind := range task.Types() {
		m.submitted.WithLabelValues(string(kind))
		for _, status := range task.Statuses() {
			if status.Terminal() {
				m.ended.WithLabelValues(string(kind), string(status))
			}
		}
	}
	for _, operation := range operations() {
		m.storeRequests.WithLabelValues(operation)
		m.storeErrors.WithLabelValues(operation)
	}
}

// Families returns the descriptions of the metrics, except those of the Go runtime and
// the process. The metrics that a Watch method adds are included after its call.
func (m *Metrics) Families() []Family { return m.families.list }

// WatchQueue adds the metrics of the queue. limit is the number of tasks that may wait.
// WatchQueue must be called once, before the metrics are served.
func (m *Metrics) WatchQueue(queue Queue, limit int) {
	m.families.gauge("ace_tasks_running", "Tasks that run in this process.", func() float64 {
		running, _ := queue.Load()
		return float64(running)
	})
	m.families.gauge("ace_queue_length", "Tasks that wait in this process.", func() float64 {
		_, waiting := queue.Load()
		return float64(waiting)
	})
	m.families.gauge("ace_queue_limit", "Tasks that may wait (ACE_MAX_QUEUE).", func() float64 { return float64(limit) })
}

// WatchNodes adds the metrics of the connections to the nodes. traffic returns the number
// of bytes that were received and sent. WatchNodes must be called once, before the
// metrics are served.
func (m *Metrics) WatchNodes(traffic func() (received, sent int64)) {
	m.families.counted("ace_node_received_bytes_total",
		"Bytes received from the nodes. Nodes digest the rows themselves and send digests, and the rows that differ.", func() float64 {
			received, _ := traffic()
			return float64(received)
		})
	m.families.counted("ace_node_sent_bytes_total", "Bytes sent to the nodes.", func() float64 {
		_, sent := traffic()
		return float64(sent)
	})
}

// WatchCertificate adds the metric of the TLS certificate. expiry returns the time at
// which the certificate expires. WatchCertificate must be called once, before the metrics
// are served.
func (m *Metrics) WatchCertificate(expiry func() time.Time) {
	m.families.gauge("ace_tls_certificate_expiry_timestamp_seconds", "When the TLS certificate of the service expires.",
		func() float64 { return float64(expiry().Unix()) })
}

// WatchNotifications adds the metrics of the events that are sent to a webhook. It must
// be called once, before the metrics are served.
func (m *Metrics) WatchNotifications(stats func() notify.Stats) {
	m.families.counted("ace_notifications_delivered_total", "Events that the webhook accepted.",
		func() float64 { return float64(stats().Delivered) })
	m.families.counted("ace_notification_failures_total", "Attempts to send an event that the webhook did not accept. Each event is sent again for three days.",
		func() float64 { return float64(stats().FailedAttempts) })
	m.families.counted("ace_notifications_given_up_total", "Events that the webhook did not accept within three days.",
		func() float64 { return float64(stats().GivenUp) })
	m.families.gauge("ace_notifications_waiting", "Events that the webhook has not accepted yet; at most 1000 are counted.",
		func() float64 { return float64(stats().Waiting) })
}

// TaskCreated implements task.Observer.
func (m *Metrics) TaskCreated(rec task.Record) {
	m.submitted.WithLabelValues(string(rec.Type)).Inc()
}

// TaskEnded implements task.Observer.
func (m *Metrics) TaskEnded(rec task.Record) {
	m.ended.WithLabelValues(string(rec.Type), string(rec.Status)).Inc()
	if rec.StartedAt != nil && rec.FinishedAt != nil {
		m.durations.WithLabelValues(string(rec.Type), string(rec.Status)).Observe(rec.FinishedAt.Sub(*rec.StartedAt).Seconds())
	}
	if comparison, ok := measure.ComparisonOf(rec); ok {
		m.tables.Add(comparison)
	}
}

// RowsCompared counts the rows of a unit of work.
func (m *Metrics) RowsCompared(rows int64) { m.rows.Add(float64(rows)) }

// LeaseLost counts a run that stopped because it lost its lease.
func (m *Metrics) LeaseLost() { m.leaseLosses.Inc() }

// Restore restores the metrics of the tables from the archive. After an error it may be
// repeated.
func (m *Metrics) Restore(ctx context.Context, index measure.Index, records measure.Records) error {
	if err := m.tables.Restore(ctx, index, records); err != nil {
		return fault.Wrap(err, fault.CodeOf(err), "the metrics of the tables cannot be restored from the archive")
	}
	m.restored.Store(true)
	return nil
}

// Refresh adds the comparisons in the archive that ended after since, also those of other
// processes that use the same archive.
func (m *Metrics) Refresh(ctx context.Context, recent measure.Recent, records measure.Records, since time.Time) error {
	return m.tables.Refresh(ctx, recent, records, since)
}

// number returns 1 for true and 0 for false.
func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
