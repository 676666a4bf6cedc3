// Package stored contains only a test, which compares the form in which the service
// stores things with the form that the current number of the format stands for
// (task.CurrentFormat). testdata/ has the form of each number.
package stored
