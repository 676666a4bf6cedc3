package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/api"
	"ace/shared/fanout"
)

const (
	// rounds is the number of equal rounds of tasks whose growth is judged. One more round
	// comes first, which fills caches and pools.
	rounds = 4
	// leakPerTask is the growth of the heap per task, in bytes, that counts as a leak. Its
	// noise is heapNoise per round.
	leakPerTask = 200
	heapNoise   = 16 << 10
)

// growth executes equal rounds of tasks, and judges how much the heap grows per task. A
// leak adds to the heap in every round, and a cache or a pool only until it is full. So
// the smallest growth of a round counts.
func (b *bed) growth(ctx context.Context, r *report) error {
	perTask, err := growthPerTask(ctx, b.round, b.service.heap, b.runRound)
	if err != nil {
		return err
	}
	r.add(fmt.Sprintf("growth of the heap per task, in %d rounds of %d tasks", rounds, b.round), "at least %.0f bytes; %s", slices.Min(perTask), listOf(perTask))
	if problem := leak(perTask, b.round); problem != "" {
		r.found("%s", problem)
	}
	return nil
}

func listOf(values []float64) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, fmt.Sprintf("%.0f", v))
	}
	return strings.Join(texts, ", ")
}

// growthPerTask returns by how many bytes the heap grows per task in each round of run.
func growthPerTask(ctx context.Context, tasks int, heap func(context.Context) (float64, error), run func(context.Context) error) ([]float64, error) {
	var perTask []float64
	before := 0.0
	for n := range rounds + 1 {
		if err := run(ctx); err != nil {
			return nil, err
		}
		now, err := heap(ctx)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			perTask = append(perTask, (now-before)/float64(tasks))
		}
		before = now
	}
	return perTask, nil
}

// leak describes the leak that the growth of the rounds shows, or returns "".
func leak(perTask []float64, tasks int) string {
	least, may := slices.Min(perTask), leakPerTask+heapNoise/float64(tasks)
	if least <= may {
		return ""
	}
	return fmt.Sprintf("the heap grows by at least %.0f bytes per task in each round of %d tasks, more than %.0f", least, tasks, may)
}

// runRound submits the tasks of a round and waits until they have ended.
func (b *bed) runRound(ctx context.Context) error {
	_, err := fanout.Map(ctx, max(1, b.clients/5), fanout.Indexes(b.round), func(ctx context.Context, n int) (struct{}, error) {
		id, err := b.service.submit(ctx, small(n), func(answer) {})
		if err != nil {
			return struct{}{}, err
		}
		status, err := b.service.wait(ctx, id)
		if err == nil && status.Status != api.StatusCompleted {
			err = fmt.Errorf("task %s ended %s: %s", id, status.Status, status.Error)
		}
		return struct{}{}, err
	})
	return err
}

// heap returns the bytes of the service's heap that are reachable. Two collections are
// needed, because a pool keeps its content for one. The numbers are those right after the
// collection, without the garbage of a further request.
func (s *service) heap(ctx context.Context) (float64, error) {
	s.http.CloseIdleConnections()
	var a answer
	for range 3 {
		var err error
		if a, err = s.request(ctx, s.pprof+"/debug/pprof/heap?gc=1&debug=1"); err != nil {
			return 0, err
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(a.body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.New("the profile has no HeapAlloc")
}
