package grpcauth

import (
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// log logs a refusal in one line. See [WithLogger]. An error that cannot be printed is logged as a panic.
func (c *call) log(e *Error, message string) {
	if c.auth.logger == nil {
		return
	}
	panicked := recovered(func() error {
		c.logError(e, message)
		return nil
	})
	if panicked != nil {
		c.logError(&Error{Code: e.Code, Err: panicked}, message)
	}
}

func (c *call) logError(e *Error, message string) {
	level := slog.LevelWarn
	switch e.code() {
	case codes.Unknown, codes.Internal, codes.Unavailable, codes.DataLoss:
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("code", e.code().String())}
	var denied *permissions.DeniedError
	if errors.As(e.Err, &denied) && denied != nil {
		attrs = append(attrs, denied.Decision.LogValue().Group()...)
		attrs = append(attrs, slog.String("action", text.Plain(string(denied.Action))))
		attrs = append(attrs, slog.Any("target", denied.Target))
		if by := c.deniedBy(denied); by != "" {
			attrs = append(attrs, slog.String("denied_by", by))
		}
	} else {
		attrs = append(attrs, slog.String("reason", reasonOf(e)))
	}
	if c.claims != nil {
		attrs = append(attrs, slog.String("subject", text.Plain(c.claims.Subject)))
		if c.claims.ID != "" {
			attrs = append(attrs, slog.String("token_id", text.Plain(c.claims.ID)))
		}
	}
	if c.name != "" {
		attrs = append(attrs, slog.String("method", text.Plain(c.name)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	var panicked *panicError
	if errors.As(e.Err, &panicked) {
		attrs = append(attrs, slog.String("stack", string(panicked.stack)))
	}
	if c.auth.reportOnly {
		attrs = append(attrs, slog.Bool("report_only", true))
	}
	c.auth.logger.LogAttrs(c.ctx, level, message, attrs...)
}

// deniedBy says whether the token or a ceiling denied. It is empty if there are no ceilings, or no verified token.
func (c *call) deniedBy(denied *permissions.DeniedError) string {
	switch {
	case len(c.outer) == 0 && len(c.auth.ceilings) == 0 || c.claims == nil:
		return ""
	case c.claims.Policy.Allowed(denied.Action, denied.Target):
		return "ceiling"
	}
	return "token"
}

// reasonOf returns the code of a log for an error that is not a denial.
func reasonOf(e *Error) string {
	if e.Code == codes.Canceled || e.Code == codes.DeadlineExceeded {
		return "canceled"
	}
	var panicked *panicError
	if errors.As(e.Err, &panicked) {
		return "panic"
	}
	for _, a := range answers {
		if errors.Is(e.Err, a.err) {
			return a.logged
		}
	}
	return "error"
}
