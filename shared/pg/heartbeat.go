package pg

import (
	"context"
	"sync"
	"time"
)

// beatsPerIdle is the number of heartbeats in the time (Tx.idle) after which the server
// would end the transaction of a silent client.
const beatsPerIdle = 3

// startHeartbeat starts a goroutine that regularly sends a message to the server. Without
// the messages, the server would end the transaction while the client waits for another
// node or for the archive. The caller must call the returned function before it closes
// the connection. That function waits until the goroutine has ended.
func (t *Tx) startHeartbeat() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancelBeats = cancel
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(t.idle / beatsPerIdle)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				t.beat(ctx)
			}
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

// lock locks the mutex of the transaction. A heartbeat may hold it for as long as the
// server sends nothing. If ctx ends meanwhile, the heartbeat is cancelled, because the
// transaction is no longer needed.
func (t *Tx) lock(ctx context.Context) {
	if t.use.TryLock() {
		return
	}
	stop := context.AfterFunc(ctx, t.cancelBeats)
	defer stop()
	t.use.Lock()
}

// beat sends a Sync message, which has no effect, in whatever state the transaction is.
// If a stream is open, the stream reads the response after its own results. Otherwise
// beat reads the response. If beat fails, the connection is lost, and beat stores the
// reason in t.lost.
func (t *Tx) beat(ctx context.Context) {
	t.use.Lock()
	defer t.use.Unlock()
	if ctx.Err() != nil || t.lost != nil || t.conn.Conn().IsClosed() {
		return
	}
	if t.stream != nil {
		_ = t.stream.pipeline.Sync() // an error is ignored, because the stream reports it
		return
	}

	t.link.allow(t.wait)
	pipeline := t.conn.Conn().PgConn().StartPipeline(ctx)
	err := pipeline.Sync()
	if closing := pipeline.Close(); err == nil {
		err = closing
	}
	if err != nil && ctx.Err() == nil {
		t.lost = t.node.fault(ctx, "keeping the transaction of a repair open", err)
	}
}
