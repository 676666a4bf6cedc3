package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"ace/infra/testbed"
)

// service is a running `ace serve`, and the clients' connections to it.
type service struct {
	*testbed.Service
	pprof string
	http  *http.Client
	began time.Duration // how long the start took
}

// begin starts the service with these settings.
func (b *bed) begin(ctx context.Context, environ ...string) error {
	profiles, err := testbed.FreeAddress(ctx)
	if err != nil {
		return err
	}
	environ = append(environ, "ACE_PPROF="+profiles)
	if b.minio != nil {
		o := b.minio.Options(bucket)
		environ = append(environ, "AWS_ACCESS_KEY_ID="+o.AccessKey, "AWS_SECRET_ACCESS_KEY="+o.SecretKey)
	}
	began := time.Now()
	running, err := testbed.StartService(ctx, b.binary, b.dir, testbed.Place{Store: b.archiveURL()}, environ...)
	if err != nil {
		return err
	}
	b.service = &service{
		Service: running, pprof: "http://" + profiles, began: time.Since(began),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: time.Minute},
	}
	return nil
}

// end stops the service, if one runs.
func (b *bed) end() error {
	if b.service == nil {
		return nil
	}
	s := b.service
	b.service = nil
	s.http.CloseIdleConnections()
	return s.Close()
}

// answer is a response with its body.
type answer struct {
	status     int
	retryAfter string
	body       []byte
}

// get sends a request to the API.
func (s *service) get(ctx context.Context, path string) (answer, error) {
	return s.request(ctx, s.URL+path)
}

func (s *service) request(ctx context.Context, address string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("Retry-After"), body}, err
}

// read decodes the answer to a request, which must be a 200.
func (s *service) read(ctx context.Context, path string, into any) error {
	a, err := s.get(ctx, path)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("GET %s: status %d: %s", path, a.status, a.body)
	}
	return json.Unmarshal(a.body, into)
}

// usage is what the service uses of the machine.
type usage struct {
	heap       float64 // bytes that are reachable
	resident   float64 // bytes
	goroutines float64
	files      float64       // open file descriptors
	processor  time.Duration // since the start
}

// usage measures the service after a collection of garbage. The connections of the
// clients are closed first.
func (s *service) usage(ctx context.Context) (usage, error) {
	s.http.CloseIdleConnections()
	if _, err := s.request(ctx, s.pprof+"/debug/pprof/heap?gc=1"); err != nil {
		return usage{}, err
	}
	a, err := s.get(ctx, "/metrics")
	if err != nil {
		return usage{}, err
	}
	values := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			values[name], _ = strconv.ParseFloat(value, 64) // comments have no value and are not used
		}
	}
	u := usage{
		heap: values["go_memstats_heap_alloc_bytes"], resident: values["process_resident_memory_bytes"],
		goroutines: values["go_goroutines"], files: values["process_open_fds"], processor: s.processor(),
	}
	if u.heap == 0 || u.goroutines == 0 || u.files == 0 {
		return u, errors.New("the metrics of the process are missing")
	}
	return u, nil
}

// clockTick is the unit of processor time in /proc.
const clockTick = 10 * time.Millisecond

// processor returns the processor time that the service has used.
func (s *service) processor() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// After the load, the service may use this much more than at the start, because a cache
// may fill and a connection to a node may be open. The growth per task shows a leak, see
// growth.
const (
	moreHeap       = 12 << 20
	moreGoroutines = 8
	moreFiles      = 8
)

// settled waits until the service uses no more than before, at most for o.settle. It
// reports both, and what has not returned.
func (b *bed) settled(ctx context.Context, r *report, before usage) error {
	for deadline := time.Now().Add(b.settle); ; {
		now, err := b.service.usage(ctx)
		if err != nil {
			return err
		}
		var left []string
		for _, v := range []struct {
			name             string
			now, before, may float64
		}{
			{"bytes of heap", now.heap, before.heap, moreHeap},
			{"goroutines", now.goroutines, before.goroutines, moreGoroutines},
			{"file descriptors", now.files, before.files, moreFiles},
		} {
			if v.now > v.before+v.may {
				left = append(left, fmt.Sprintf("%.0f %s, before %.0f", v.now, v.name, v.before))
			}
		}
		if len(left) > 0 && time.Now().Before(deadline) {
			pause(ctx, time.Second)
			continue
		}
		for _, text := range left {
			r.found("not returned after %s: %s", b.settle, text)
		}
		r.add("before and after: heap, resident memory, goroutines, descriptors", "%.1f MB, %.0f MB, %.0f, %.0f; %.1f MB, %.0f MB, %.0f, %.0f",
			before.heap/1e6, before.resident/1e6, before.goroutines, before.files, now.heap/1e6, now.resident/1e6, now.goroutines, now.files)
		return nil
	}
}

// pause waits, at most until the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
