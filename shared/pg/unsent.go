package pg

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unsentTimeout is the time after which the kernel ends a connection whose peer does not
// acknowledge, or does not accept, the bytes that were sent. By default, the kernel
// repeats them for a quarter of an hour.
const unsentTimeout = time.Minute

// limitUnsent sets unsentTimeout for a TCP socket.
func limitUnsent(network, _ string, socket syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var setting error
	err := socket.Control(func(fd uintptr) {
		setting = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unsentTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return setting
}
