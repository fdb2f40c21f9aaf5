package grpcauth

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
)

// A stream is a ServerStream whose claims can run out. A handler may send and receive concurrently.
type stream struct {
	grpc.ServerStream
	call *call

	// Only the goroutine that receives uses these, so mu does not guard them.
	first   any  // the first message, which was received before the handler began; nil if there is none
	unasked bool // in a report-only interceptor: the question was not asked yet

	mu    sync.Mutex
	ended bool  // the claims no longer hold, or the table does not fit the handler
	err   error // what the stream ends with then; nil in a report-only interceptor
}

// Context returns the context of the stream, with the claims.
func (s *stream) Context() context.Context { return s.call.ctx }

// begin receives the first message and asks the policy about it.
func (s *stream) begin() error {
	first := s.call.method.question.newMessage()
	switch err := s.RecvMsg(first); err {
	case nil:
		s.first = first
	case io.EOF:
		first = nil
	default:
		return err
	}
	return s.call.stop(recovered(func() error { return s.call.ask(first) }))
}

// RecvMsg receives a message if the claims hold, before and after.
func (s *stream) RecvMsg(m any) error {
	if err := s.check(); err != nil {
		return err
	}
	if first := s.first; first != nil {
		s.first = nil
		if err := s.call.method.question.move(m, first); err != nil {
			return s.end(err)
		}
		return nil
	}
	err := s.ServerStream.RecvMsg(m)
	if err != nil && err != io.EOF {
		return err
	}
	if endErr := s.check(); endErr != nil {
		return endErr
	}
	if s.unasked && err == nil {
		s.unasked = false
		_ = s.call.stop(recovered(func() error { return s.call.ask(m) }))
	}
	return err
}

// SendMsg sends a message if the claims hold.
func (s *stream) SendMsg(m any) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

// check returns the error with which the stream has ended, or ends because its claims no longer hold.
func (s *stream) check() error {
	if s.call.admitted {
		if err := s.call.claims.Valid(); err != nil {
			return s.end(err)
		}
	}
	return s.endError()
}

// end ends the stream, unless it has ended before, and returns the error with which it ended.
func (s *stream) end(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.err = true, s.call.stop(err)
	}
	return s.err
}

// endError returns the error with which the stream has ended. It is nil if the stream has not ended, or only reports.
func (s *stream) endError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
