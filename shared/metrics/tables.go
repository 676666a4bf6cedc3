package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"ace/shared/measure"
)

// tableCollector makes metrics of the states of the tables. The metric verified has the
// time of the latest table-diff. The verdict is a label of this metric, and only the
// latest verdict of a table is published.
type tableCollector struct {
	tables                                   *measure.Tables
	verified, differing, unsettled, leftOuts *prometheus.Desc
}

func newTableCollector(f *families, tables *measure.Tables) tableCollector {
	return tableCollector{
		tables: tables,
		verified: f.desc(kindGauge, "ace_table_last_verified_timestamp_seconds",
			"When the latest table-diff of the table ended, in Unix time, with the verdict of it or of a rerun of its document.",
			"cluster", "database", "table", "scope", "verdict"),
		differing: f.desc(kindGauge, "ace_table_differing_rows",
			"Rows that differ, according to the latest table-diff of the table or a rerun of its document.", "cluster", "database", "table", "scope"),
		unsettled: f.desc(kindGauge, "ace_table_unsettled_rows",
			"Those of the differing rows that were still changing when they were last read.", "cluster", "database", "table", "scope"),
		leftOuts: f.desc(kindCounter, "ace_table_metrics_left_out_total",
			"Comparisons whose table has no metrics, because too many other tables have."),
	}
}

// Describe implements prometheus.Collector.
func (c tableCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.verified, c.differing, c.unsettled, c.leftOuts} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c tableCollector) Collect(metrics chan<- prometheus.Metric) {
	tables, leftOut := c.tables.All()
	for _, t := range tables {
		labels := []string{t.ClusterName, t.DBName, t.TableName, string(t.Scope)}
		gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
		}
		gauge(c.verified, float64(t.VerifiedAt.UnixMilli())/1000, append(labels, t.Verdict)...)
		gauge(c.differing, float64(t.DifferingRows), labels...)
		gauge(c.unsettled, float64(t.UnsettledRows), labels...)
	}
	metrics <- prometheus.MustNewConstMetric(c.leftOuts, prometheus.CounterValue, float64(leftOut))
}
