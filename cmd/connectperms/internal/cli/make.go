package cli

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/usertoken"
)

// A signing has the flags of sign.
type signing struct {
	claim, own, key, project, subject string
	keyID, tokenID, at, output        string
	audiences, issuers, types         []string
	lifetime                          time.Duration
	maxSize                           int
	unrestricted                      bool
	claimFlags
}

func (a *app) sign() *cobra.Command {
	var f signing
	c := &cobra.Command{
		Use:   "sign",
		Short: "Sign a token for tests and for trying things",
		Long: `sign prints a token with a claim, signed with a private key.

The claim comes from --claim, or from standard input. It is written in canonical form.`,
		Example: `  connectperms sign --key key --project my-project --subject ann --claim claim.json > token.txt
  connectperms sign --key key --project my-project --subject ann --unrestricted > token.txt`,
		Args: a.noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			token, err := a.signed(c, &f)
			if err != nil {
				return err
			}
			if f.output == "json" {
				return a.out.json(struct {
					Token string `json:"token"`
					Bytes int    `json:"bytes"`
				}{token, len(token)})
			}
			_, err = fmt.Fprintln(a.out, token)
			return err
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.key, "key", "", "the `FILE` with the private key, or - for standard input (required)")
	flags.StringVar(&f.subject, "subject", "", "the `SUBJECT`: the Connected User (required)")
	flags.StringVar(&f.project, "project", "", "the `ID` of the project, for the audience; otherwise "+projectVariable)
	flags.StringVar(&f.claim, "claim", "", "read the claim from a `FILE`, or from standard input with -")
	flags.BoolVar(&f.unrestricted, "unrestricted", false, "leave the permissions claim out: the token allows everything")
	flags.StringVar(&f.own, "own-claims", "", "a `FILE` with a JSON object of other claims")
	flags.DurationVar(&f.lifetime, "lifetime", time.Hour, "how long the token is valid, as a `DURATION`")
	flags.StringVar(&f.at, "at", "", "sign as of a `TIME`, such as 2026-11-25T18:00:00Z")
	flags.StringVar(&f.keyID, "key-id", "", "the `ID` of the key, for the header")
	flags.StringVar(&f.tokenID, "token-id", "", "the `ID` of the token")
	flags.StringArrayVar(&f.audiences, "audience", nil, "an `AUDIENCE` in place of the project's; may be repeated")
	flags.StringArrayVar(&f.issuers, "issuer", nil, "the `ISSUER`")
	flags.StringArrayVar(&f.types, "type", nil, "the `TYPE` in the header")
	flags.IntVar(&f.maxSize, "max-token-size", 64<<10, "refuse to make a token of more `BYTES`")
	f.claimFlags.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

func (a *app) signed(c *cobra.Command, f *signing) (string, error) {
	if f.key == "" || f.subject == "" {
		return "", errors.New("sign takes a private key with --key and a subject with --subject; " +
			"see connectperms sign --help")
	}
	if f.unrestricted && c.Flags().Changed("claim") {
		return "", errors.New("give either --claim or --unrestricted")
	}
	now, err := a.now(&keyFlags{at: f.at})
	if err != nil {
		return "", err
	}
	t, err := a.read(f.key)
	if err != nil {
		return "", err
	}
	key, err := usertoken.ParsePrivateKey(string(t.data))
	if err != nil {
		return "", t.at(0, plainError(err).Error())
	}
	opts := []usertoken.SignerOption{
		usertoken.WithClock(func() time.Time { return now }), usertoken.WithLifetime(f.lifetime),
		usertoken.WithMaxTokenSize(f.maxSize),
	}
	if f.keyID != "" {
		opts = append(opts, usertoken.WithKeyID(f.keyID))
	}
	if len(f.audiences) > 0 {
		opts = append(opts, usertoken.WithAudience(f.audiences...))
	}
	if len(f.issuers) > 0 {
		opts = append(opts, usertoken.WithIssuer(f.issuers...))
	}
	if len(f.types) > 0 {
		opts = append(opts, usertoken.WithType(f.types...))
	}
	project := f.project
	if project == "" && len(f.audiences) == 0 {
		project = a.env.Getenv(projectVariable)
	}
	if project == "" && len(f.audiences) == 0 {
		return "", errNoProject
	}
	signer, err := usertoken.NewSigner(project, key, opts...)
	if err != nil {
		return "", plainError(err)
	}
	extra, err := a.ownClaims(f)
	if err != nil {
		return "", err
	}
	if f.unrestricted {
		token, err := signer.SignUnrestricted(f.subject, extra...)
		return token, plainOrNil(err)
	}
	policy, err := a.claimToSign(f)
	if err != nil {
		return "", err
	}
	token, err := signer.Sign(f.subject, policy, extra...)
	return token, plainOrNil(err)
}

func plainOrNil(err error) error {
	if err == nil {
		return nil
	}
	return plainError(err)
}

// ownClaims returns the options for what else the token has.
func (a *app) ownClaims(f *signing) (opts []usertoken.SignOption, err error) {
	if f.tokenID != "" {
		opts = append(opts, usertoken.WithTokenID(f.tokenID))
	}
	if f.own == "" {
		return opts, nil
	}
	t, err := a.read(f.own)
	if err != nil {
		return nil, err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(t.data, &own); err != nil || own == nil {
		return nil, t.at(0, "it is not a JSON object")
	}
	return append(opts, usertoken.WithClaims(own)), nil
}

func (a *app) claimToSign(f *signing) (*permissions.Policy, error) {
	name := f.claim
	if name == "" {
		name = "-"
	}
	t, err := a.read(name)
	if err != nil {
		return nil, err
	}
	in, err := a.recognize(nil, t)
	if err != nil {
		return nil, err
	}
	if in.Form != recognize.Claim {
		return nil, t.at(in.Offset, "it is "+in.Form.String()+" and not a claim")
	}
	s, err := a.parse(t, in, f.options())
	if err != nil {
		return nil, err
	}
	return s.policy, nil
}

func (a *app) keygen() *cobra.Command {
	var bits int
	var output string
	c := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key for tests and for trying things",
		Long: `keygen makes an RSA key. It writes the private key to FILE, which only you can read, and the public key to
FILE.pub. It overwrites nothing.

With - as FILE it prints the private key, but not to a terminal.`,
		Example: `  connectperms keygen my-key
  connectperms keygen - | openssl pkey -pubout -out key.pub`,
		Args: arguments(1, 1, "the name of a FILE, or -"),
		RunE: func(c *cobra.Command, args []string) error {
			if bits != 2048 && bits != 3072 && bits != 4096 {
				return errors.New("--bits takes 2048, 3072 or 4096")
			}
			if args[0] == "-" && a.out.isTerminal() {
				return errors.New("keygen prints no private key to a terminal; name a file, or pipe the output into a program")
			}
			for _, file := range []string{args[0], args[0] + ".pub"} {
				if _, err := os.Lstat(file); err == nil && args[0] != "-" {
					return fileError(file, fs.ErrExist)
				}
			}
			a.progress.start("making a key")
			key, err := rsa.GenerateKey(rand.Reader, bits)
			a.progress.stop()
			if err != nil {
				return err
			}
			private, public, err := encodeKey(key)
			if err != nil {
				return err
			}
			if args[0] == "-" {
				_, err := a.out.Write(private)
				return err
			}
			return a.writeKeys(args[0], private, public, output)
		},
	}
	c.Flags().IntVar(&bits, "bits", 2048, "the length of the key: 2048, 3072 or 4096")
	addOutputFlag(c, &output, "text", "json")
	return c
}

func encodeKey(key *rsa.PrivateKey) (private, public []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	publicDER, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}), nil
}

func (a *app) writeKeys(file string, private, public []byte, output string) error {
	const onlyOwner, everybody = 0o600, 0o644
	publicFile := file + ".pub"
	if err := create(file, private, onlyOwner); err != nil {
		return err
	}
	if err := create(publicFile, public, everybody); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	if output == "json" {
		return a.out.json(struct {
			Private string `json:"private"`
			Public  string `json:"public"`
		}{file, publicFile})
	}
	a.out.sayf(stylePlain, "private key: %s\npublic key:  %s", oneLine(file), oneLine(publicFile))
	return nil
}

// create writes a new file. It is an error if there is one.
func create(name string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fileError(name, err)
	}
	_, err = file.Write(data)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(fileError(name, err), os.Remove(name))
	}
	return nil
}
