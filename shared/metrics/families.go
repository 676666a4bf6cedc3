package metrics

import "github.com/prometheus/client_golang/prometheus"

// Family describes the metrics of one name.
type Family struct {
	Name   string
	Kind   string // the kind of the metrics: counter, gauge or histogram
	Labels []string
	Help   string
}

// The kinds of metrics.
const (
	kindCounter   = "counter"
	kindGauge     = "gauge"
	kindHistogram = "histogram"
)

// families registers metrics and lists them.
type families struct {
	registry *prometheus.Registry
	list     []Family
}

func (f *families) add(kind, name, help string, labels []string) {
	f.list = append(f.list, Family{Name: name, Kind: kind, Labels: labels, Help: help})
}

func (f *families) counter(name, help string, labels ...string) *prometheus.CounterVec {
	f.add(kindCounter, name, help, labels)
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	f.registry.MustRegister(vec)
	return vec
}

func (f *families) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	f.add(kindHistogram, name, help, labels)
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	f.registry.MustRegister(vec)
	return vec
}

// gauge registers a gauge whose value is read when the metrics are requested.
func (f *families) gauge(name, help string, read func() float64) {
	f.add(kindGauge, name, help, nil)
	f.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// counted registers a counter whose value is read when the metrics are requested.
func (f *families) counted(name, help string, read func() float64) {
	f.add(kindCounter, name, help, nil)
	f.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

// desc adds a family whose metrics a collector creates.
func (f *families) desc(kind, name, help string, labels ...string) *prometheus.Desc {
	f.add(kind, name, help, labels)
	return prometheus.NewDesc(name, help, labels, nil)
}
