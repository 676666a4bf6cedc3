package service

import (
	"context"
	"io"

	"ace/shared/api"
	"ace/shared/backup"
	"ace/shared/caller"
	"ace/shared/fault"
)

// Backup returns a backup of the whole archive. The backup has the rows of all documents
// and before-images, so its caller needs every right that reads, for all clusters.
func (s *Service) Backup(ctx context.Context, _ api.BackupRequest) (*api.Stream, error) {
	by := caller.Of(ctx)
	if err := by.Check(api.RightRead); err != nil {
		return nil, err
	}
	if err := by.CheckAllClusters(); err != nil {
		return nil, err
	}
	if s.TakeSnapshot == nil {
		return nil, fault.New(fault.Conflict,
			"the archive is in a bucket, which this service cannot back up: use the versioning and the replication of the bucket")
	}

	// The entry is in the backup, because it is stored before the snapshot is taken.
	if _, err := s.record(ctx, api.AuditEntry{Action: api.RouteBackup.Name()}); err != nil {
		return nil, err
	}
	snapshot, err := s.TakeSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &api.Stream{
		ContentType: "application/x-tar", Name: "ace-" + snapshot.Taken().UTC().Format("20060102-150405") + ".tar",
		Write: func(ctx context.Context, w io.Writer) error { return s.writeBackup(ctx, snapshot, w) },
		Close: snapshot.Close,
	}, nil
}

// writeBackup writes a backup of a snapshot to w.
func (s *Service) writeBackup(ctx context.Context, snapshot Snapshot, w io.Writer) error {
	out := backup.NewWriter(w, snapshot.Owner(), snapshot.Taken(), s.Version)
	if err := snapshot.Each(ctx, out.Add); err != nil {
		if ctx.Err() != nil {
			return fault.Wrap(err, fault.Cancelled, "the client has ended the backup")
		}
		return err
	}
	done, err := out.Close()
	if err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "the archive was backed up", "objects", done.Objects, "bytes", done.Bytes, "damaged", done.DamagedCount(), "by", caller.Of(ctx).Name)
	for _, path := range done.Damaged {
		s.Log.ErrorContext(ctx, "an object of the archive is damaged; the backup has it as it is", "path", path)
	}
	return nil
}
