package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"ace/infra/testkit/pgserver"
)

// distance is a set of proxies that simulate distant nodes.
type distance struct {
	proxies []*toxiproxy.Proxy
	ports   []int
}

// newDistance starts a proxy for each port. The proxy forwards connections to this port.
// It delays all data in each direction by the duration in the parameter each.
func newDistance(ports []int, each time.Duration) (*distance, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	d := &distance{}
	for i, port := range ports {
		proxy := toxiproxy.NewProxy(server, fmt.Sprintf("n%d", i+1), pgserver.Host+":0", net.JoinHostPort(pgserver.Host, strconv.Itoa(port)))
		if err := proxy.Start(); err != nil {
			d.close()
			return nil, err
		}
		d.proxies = append(d.proxies, proxy)
		for _, stream := range []string{"upstream", "downstream"} {
			toxic := fmt.Sprintf(`{"type": "latency", "stream": %q, "attributes": {"latency": %d}}`, stream, each.Milliseconds())
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
				d.close()
				return nil, err
			}
		}
		_, text, err := net.SplitHostPort(proxy.Listen)
		if err != nil {
			return nil, err
		}
		at, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		d.ports = append(d.ports, at)
	}
	return d, nil
}

func (d *distance) close() {
	for _, proxy := range d.proxies {
		proxy.Toxics.ResetToxics(context.Background())
		proxy.Stop()
	}
}
