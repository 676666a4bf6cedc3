package main

import (
	"ace/shared/fault"
	"ace/shared/private"
	"ace/shared/schedule"
)

// readSchedules returns the jobs of a schedules file, or none if path is empty.
func readSchedules(path string) ([]schedule.Job, error) {
	if path == "" {
		return nil, nil
	}
	data, err := private.Instructions(path, schedule.MaxFile+1)
	if fault.CodeOf(err) == fault.Invalid {
		return nil, fault.New(fault.Invalid, "ACE_SCHEDULES is refused: %s", fault.PublicMessage(err))
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ACE_SCHEDULES is %q, which cannot be read: %v", path, err)
	}
	return schedule.Parse(path, data)
}
