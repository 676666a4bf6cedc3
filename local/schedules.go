package main

import (
	"io"
	"os"

	"ace/shared/fault"
	"ace/shared/schedule"
)

// readSchedules gives the jobs of a file, none if no file is named.
func readSchedules(path string) ([]schedule.Job, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ACE_SCHEDULES is %q, which cannot be read: %v", path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, schedule.MaxFile+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ACE_SCHEDULES is %q, which cannot be read: %v", path, err)
	}
	return schedule.Parse(path, data)
}
