package pgserver

import "syscall"

// Freeze stops all processes of the server with SIGSTOP, so that the server neither
// answers nor closes a connection. Thaw lets them run again.
func (s *Server) Freeze() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signalAll(syscall.SIGSTOP)
}

// Thaw continues the processes that Freeze has stopped. It is no error if the server has
// ended meanwhile.
func (s *Server) Thaw() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signalAll(syscall.SIGCONT)
}

// signalAll sends a signal to the postmaster and then to its children. A stopped
// postmaster starts no further child.
func (s *Server) signalAll(sig syscall.Signal) error {
	if s.proc == nil || !s.proc.running() {
		return nil
	}
	if err := s.proc.signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGSTOP {
		await(s.proc.pid(), 'T')
	}
	for _, backend := range children(s.proc.pid()) {
		_ = syscall.Kill(backend, sig) // the backend may have ended by itself
	}
	return nil
}
