package emqxv4

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/openecp/openecp/internal/emqxhttp"
)

// payload returns the data of a success: status 200 and code 0. Business errors also have
// status 200, and a number, a word or nothing as code. Other errors are plain text.
func (b *broker) payload(ctx context.Context, c call, a emqxhttp.Answer) ([]byte, error) {
	a.Body = redactLines(a.Body, c.secret)
	switch {
	case unknownCall(a):
		return nil, b.unknownCallError(ctx, c, a)
	case !a.OK() && refusalIn(a).mentions(c.alreadyDone):
		return nil, nil
	case !a.OK():
		return nil, b.refused(a)
	case !a.JSON():
		return nil, b.client.Unreadable(a, errNoJSON)
	case c.noEnvelope:
		return a.Body, nil
	}
	data, said, err := decodeEnvelope(a.Body)
	switch {
	case err != nil:
		return nil, b.client.Unreadable(a, err)
	case said == nil && c.keepEnvelope:
		return a.Body, nil
	case said == nil, said.mentions(c.alreadyDone):
		return data, nil
	}
	return nil, b.refusalError(c, a, *said)
}

// redactLines removes the longer lines of a secret from an answer.
func redactLines(body []byte, secret string) []byte {
	for line := range strings.Lines(secret) {
		if line = strings.TrimSpace(line); len(line) >= 12 {
			body = bytes.ReplaceAll(body, []byte(line), []byte("[redacted]"))
		}
	}
	return body
}

// decodeEnvelope reads {"code":0,"data":…}. It returns a refusal unless it is a success.
func decodeEnvelope(body []byte) (json.RawMessage, *refusal, error) {
	var e struct {
		Code    json.RawMessage `json:"code"`
		Data    json.RawMessage `json:"data"`
		Message erlangMessage   `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, nil, err
	}
	switch {
	case string(e.Code) == "0":
		return e.Data, nil, nil
	case len(e.Code) == 0 && e.Message == "":
		return nil, nil, errors.New("it has neither code nor message")
	}
	said := &refusal{code: "missing", message: string(e.Message)}
	if len(e.Code) > 0 && json.Unmarshal(e.Code, &said.code) != nil {
		said.code = string(e.Code)
	}
	if said.code == "" {
		said.code = "empty"
	}
	return nil, said, nil
}

// erlangMessage is a message. Before 4.4.17 it may be an Erlang string: a list of
// characters and of such lists.
type erlangMessage string

// UnmarshalJSON never fails.
func (w *erlangMessage) UnmarshalJSON(b []byte) error {
	var list []any
	var s strings.Builder
	if json.Unmarshal(b, &list) == nil && flattenChars(&s, list) {
		*w = erlangMessage(s.String())
		return nil
	}
	var plain emqxhttp.Message
	err := plain.UnmarshalJSON(b)
	*w = erlangMessage(plain)
	return err
}

// flattenChars writes a list of characters as text. It returns false if v is not one.
func flattenChars(s *strings.Builder, v any) bool {
	switch v := v.(type) {
	case string:
		s.WriteString(v)
		return true
	case float64:
		c := rune(v)
		s.WriteRune(c)
		return float64(c) == v && c >= ' '
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !flattenChars(s, e) })
	}
	return false
}
