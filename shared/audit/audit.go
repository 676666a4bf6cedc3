// Package audit has the audit log: who started, cancelled or changed something, and who
// was refused. Each entry is an object of the archive that is created once and never
// changed. Its key has the day and the time, so the newest entries of a day are listed
// first, and a tool that reads the archive finds a day without ACE.
//
// The caller adds the entry before the action takes effect, and does not act if the entry
// cannot be stored. So no change lacks its entry, but an entry may describe an action
// that failed afterwards. Only the retention deletes entries, see Expire. Entries of
// refused requests are bounded in number, because anyone can cause them.
package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// Format is the format of an entry.
	Format = "ace-audit/1"

	contentType = "application/json"
	// maxMillis is the largest number of 13 digits: a time in the year 2286, in Unix
	// milliseconds. A stamp is maxMillis minus the time, so the newest entry sorts first.
	maxMillis = 9_999_999_999_999
	// idLength is the number of random characters in the id of an entry.
	idLength = 10
)

// Log is the audit log of an archive. It is safe for concurrent use.
type Log struct {
	store archive.Store
	now   func() time.Time

	denied  callerLimiters // requests of callers that lack a right
	unknown limiter        // requests with a wrong token
}

// New returns the audit log in store.
func New(store archive.Store, now func() time.Time) *Log {
	return &Log{
		store: store, now: now,
		unknown: limiter{burst: 10, every: time.Minute},
	}
}

// Add stores an entry and returns its id. It sets the fields Format, ID and At.
func (l *Log) Add(ctx context.Context, e api.AuditEntry) (id string, err error) {
	at := l.now().UTC().Truncate(time.Millisecond)
	e.Format, e.At = Format, api.At(at)
	e.ID = stamp(at) + "-" + strings.ToLower(rand.Text()[:idLength])
	body, err := json.Marshal(e)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "the entry of the audit log cannot be encoded")
	}

	_, err = l.store.PutIfAbsent(ctx, archive.AuditKey(at, e.ID), contentType, body)
	if errors.Is(err, archive.ErrPrecondition) { // the id is random, so an earlier try of this call stored the object
		err = nil
	}
	if err != nil {
		return "", fault.Wrap(err, fault.CodeOf(err), "nothing was done, because the audit log cannot be written: %s", fault.PublicMessage(err))
	}
	return e.ID, nil
}

// AddRefused stores the entry of a request that was refused because its caller lacks a
// right. If too many requests of this caller were refused, it stores nothing and counts
// the request.
func (l *Log) AddRefused(ctx context.Context, e api.AuditEntry) error {
	return l.addLimited(ctx, l.denied.of(e.RequestedBy.Caller), e)
}

// AddUnknown stores the entry of a request that was refused because its token is wrong.
// If there were too many such requests, it stores nothing and counts the request.
func (l *Log) AddUnknown(ctx context.Context, e api.AuditEntry) error {
	return l.addLimited(ctx, &l.unknown, e)
}

func (l *Log) addLimited(ctx context.Context, limit *limiter, e api.AuditEntry) error {
	unrecorded, ok := limit.allow(l.now())
	if !ok {
		return nil
	}
	e.Outcome, e.Unrecorded = api.AuditRefused, unrecorded
	_, err := l.Add(ctx, e)
	if err != nil {
		limit.uncounted(unrecorded + 1)
	}
	return err
}

// stamp returns the part of an id that orders the entries, the newest first.
func stamp(at time.Time) string { return fmt.Sprintf("%013d", maxMillis-at.UnixMilli()) }

// timeOf returns the time in an id or cursor of the form of api.IsAuditCursor.
func timeOf(id string) time.Time {
	millis, _ := strconv.ParseInt(id[:13], 10, 64) // 13 digits are always a number
	return time.UnixMilli(maxMillis - millis).UTC()
}

// WithoutFilter returns the parameters of a request for an entry: the text of a
// table_filter, which may hold data, is replaced by its length. Parameters that are no
// JSON object are left out.
func WithoutFilter(parameters json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(parameters, &object) != nil {
		return nil
	}
	var filter string
	if json.Unmarshal(object["table_filter"], &filter) == nil && filter != "" {
		object["table_filter"], _ = json.Marshal(fmt.Sprintf("(%d bytes, see the task)", len(filter))) // a string can always be encoded
	}
	body, _ := json.Marshal(object) // cannot fail: the values are valid JSON
	return body
}
