package emqxlog

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMask(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		secrets          []string
	}{
		{"the cookie of a boot that failed", "{cookie,'Abcdef12345'} x", "{cookie,'[redacted]'} x",
			[]string{"Abcdef12345"}},
		{"twice, side by side", "secret1secret1", "[redacted][redacted]", []string{"secret1"}},
		{"the longest", "secret12 secret1", "[redacted] [redacted]", []string{"secret1", "secret12"}},
		{"a beginning is none", "secret secre", "secret secre", []string{"secret1"}},
		{"as it is quoted", `"a\"b\\cd" a"b\cd <&>abc`, `"[redacted]" [redacted] [redacted]`,
			[]string{`a"b\cd`, "<&>abc"}},
		{"a file, line by line", "x 0123456789abcdefgh\ny short", "x [redacted]\ny short",
			[]string{"0123456789abcdefgh\nshort\n"}},
		{"in a header", "basic " + base64.StdEncoding.EncodeToString([]byte("openecp:Abcdef12345")),
			"basic b3BlbmVjcDp[redacted]Q==", []string{"Abcdef12345"}},
		{"in a URL", "http://u:p%40ss%2Fw%20rd@h p%40ss%2Fw+rd", "http://u:[redacted]@h [redacted]",
			[]string{"p@ss/w rd"}},
		{"in bytes", "<<112,195,164,115,115,119,195,182>> [112, 195, 164, 115, 115, 119, 195, 182]",
			"<<[redacted]>> [[redacted]]", []string{"pässwö"}},
		{"words stay", "it is true, 10", "it is true, 10", []string{"true", "10", "", " "}},
	} {
		require.Equal(t, c.want, NewMasker(c.secrets).Text(c.text), c.name)
		b, err := io.ReadAll(Mask(iotest.OneByteReader(strings.NewReader(c.text)), c.secrets))
		require.NoError(t, err)
		require.Equal(t, c.want, string(b), c.name)
	}
	b, err := io.ReadAll(Mask(io.MultiReader(strings.NewReader("a secret"), iotest.ErrReader(io.ErrUnexpectedEOF)),
		[]string{"secret1"}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "a secret", string(b), "what was held back is no secret")
}

// TestMaskHidesEncoded: base64 of a secret does not come out whatever stands around it.
func TestMaskHidesEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		around := rapid.StringMatching(`[a-z:]{0,9}`)
		secret := rapid.StringMatching(`[a-zA-Z0-9?>~]{8,20}`).Draw(t, "secret")
		text := around.Draw(t, "before") + secret + around.Draw(t, "after")
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			got := NewMasker([]string{secret}).Text("x " + e.EncodeToString([]byte(text)) + " y")
			require.Contains(t, got, masked)
			rest := strings.NewReplacer("x ", "", " y", "", "=", "").Replace(got)
			require.LessOrEqual(t, len(rest)-len(masked), (len(text)-len(secret)+2)*4/3+2,
				"what is left is what stands around it: %s", got)
		}
	})
}

// TestMaskHides: no secret comes out, however it was read in pieces, and the rest
// does as it is.
func TestMaskHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ab]{6,9}`), 1, 4).Draw(t, "secrets")
		words := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(secrets), rapid.StringMatching(`[abc ]{0,6}`))).Draw(t,
			"words")
		text := strings.Join(words, "")
		var readers []io.Reader
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 7)).Draw(t, "piece")
			readers, rest = append(readers, strings.NewReader(rest[:n])), rest[n:]
		}
		b, err := io.ReadAll(Mask(io.MultiReader(readers...), secrets))
		require.NoError(t, err)
		require.Equal(t, NewMasker(secrets).Text(text), string(b))
		for _, s := range secrets {
			require.NotContains(t, string(b), s)
		}
	})
}
