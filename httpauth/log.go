package httpauth

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// log logs a refusal in one line. See [WithLogger].
func (m *Middleware) log(r *http.Request, e *Error, message string) {
	if m.logger == nil {
		return
	}
	level := slog.LevelWarn
	if e.status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.Int("status", e.status())}
	var denied *permissions.DeniedError
	if errors.As(e.Err, &denied) && denied != nil {
		attrs = append(attrs, denied.Decision.LogValue().Group()...)
		attrs = append(attrs, slog.String("action", text.Plain(string(denied.Action))))
		attrs = append(attrs, slog.Any("target", denied.Target))
		if by := m.deniedBy(r, denied); by != "" {
			attrs = append(attrs, slog.String("denied_by", by))
		}
	} else {
		attrs = append(attrs, slog.String("reason", reasonOf(e.Err)))
	}
	id := identityOf(r.Context())
	claims := id.claims
	if claims == nil {
		claims = id.refused
	}
	if claims != nil {
		attrs = append(attrs, slog.String("subject", text.Plain(claims.Subject)))
		if claims.ID != "" {
			attrs = append(attrs, slog.String("token_id", text.Plain(claims.ID)))
		}
	}
	attrs = append(attrs, slog.String("method", text.Plain(r.Method)))
	if r.Pattern != "" {
		attrs = append(attrs, slog.String("route", text.Plain(r.Pattern)))
	}
	if r.URL != nil {
		attrs = append(attrs, slog.String("path", text.Plain(r.URL.Path)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if m.reportOnly {
		attrs = append(attrs, slog.Bool("report_only", true))
	}
	m.logger.LogAttrs(r.Context(), level, message, attrs...)
}

// deniedBy says whether the token or a ceiling denied. It is empty if there are no ceilings, or no
// verified token.
func (m *Middleware) deniedBy(r *http.Request, denied *permissions.DeniedError) string {
	id := identityOf(r.Context())
	switch {
	case len(id.outer) == 0 && len(m.ceilings) == 0 || id.granted == nil:
		return ""
	case id.granted.Allowed(denied.Action, denied.Target):
		return "ceiling"
	}
	return "token"
}

// reasonOf returns the code for an error that is not a denial.
func reasonOf(err error) string {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.reason
		}
	}
	return "error"
}
