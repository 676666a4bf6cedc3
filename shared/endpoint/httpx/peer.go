package httpx

import (
	"crypto/tls"
	"net"
	"strconv"
	"syscall"
)

// peerOf returns the user whose process is at the other end of a Unix socket, such as
// "uid 1000". It returns "" for another connection.
func peerOf(conn net.Conn) string {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return "unix socket"
	}
	peer := "unix socket"
	_ = raw.Control(func(fd uintptr) { // fails only if the connection is closed
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			peer = "uid " + strconv.FormatUint(uint64(cred.Uid), 10)
		}
	})
	return peer
}
