// Package release builds the packages of a release (build.sh). It contains only tests,
// which install the deb on a copy of this machine.
package release
