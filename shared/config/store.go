package config

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// Store describes where the archive is stored: in a directory of this host, or in a
// bucket of any S3 service.
type Store struct {
	Embedded bool   // the archive is in a directory
	Dir      string // the directory; empty unless Embedded is set
	Bucket   string
	Prefix   string // the prefix without slashes at its beginning and end
	Endpoint string // http:// or https:// and host; "" means AWS
	Region   string // "" means the region of the standard AWS chain
	// CABundle is the value of AWS_CA_BUNDLE: the path of a file with the certificates of
	// the authorities that may sign the store's certificate. "" means the authorities
	// that the host trusts.
	CABundle string
}

var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// UnmarshalText parses file://directory or s3://bucket/prefix?endpoint=URL&region=NAME.
func (s *Store) UnmarshalText(text []byte) (err error) {
	if dir, isFile := strings.CutPrefix(string(text), "file://"); isFile {
		if dir == "" {
			return errors.New("the directory is missing")
		}
		*s = Store{Embedded: true, Dir: dir}
		return nil
	}
	*s, err = parseBucket(string(text))
	return err
}

func parseBucket(text string) (Store, error) {
	u, err := url.Parse(text)
	if err != nil {
		return Store{}, errors.New("not a URL")
	}

	switch {
	case u.User != nil:
		return Store{}, errors.New("credentials are not allowed here; they come from the standard AWS chain")
	case u.Scheme != "s3":
		return Store{}, errors.New("it begins neither with file:// nor with s3://")
	case !bucketPattern.MatchString(u.Host):
		return Store{}, errors.New("the name of a bucket has 3 to 63 of the characters a-z 0-9 . -")
	case u.Fragment != "":
		return Store{}, errors.New("it has a fragment (#)")
	}

	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Store{}, errors.New("what follows the question mark is not a query")
	}

	for name, values := range query {
		if (name != "endpoint" && name != "region") || len(values) != 1 {
			return Store{}, errors.New("only endpoint and region may follow the question mark, each once")
		}
	}

	if err := checkEndpoint(query.Get("endpoint"), u.Host); err != nil {
		return Store{}, err
	}
	return Store{
		Bucket:   u.Host,
		Prefix:   strings.Trim(u.Path, "/"),
		Endpoint: strings.TrimSuffix(query.Get("endpoint"), "/"),
		Region:   query.Get("region"),
	}, nil
}

// checkEndpoint returns an error unless text is the URL of an endpoint. The error
// contains no part of the text, which may be a password.
func checkEndpoint(text, bucket string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("the endpoint must begin with http:// or https://, such as endpoint=http://host:9000")
	case u.Host == "":
		return errors.New("the endpoint has no host")
	case u.User != nil:
		return errors.New("the endpoint must not contain credentials; they come from the standard AWS chain")
	case strings.Trim(u.Path, "/") != "":
		return errors.New("the endpoint must not have a path; a prefix follows the bucket, as in s3://bucket/prefix?endpoint=http://host:9000")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("the endpoint must not have a query")
	case strings.HasPrefix(u.Host, bucket+"."):
		return errors.New("the endpoint must not begin with the name of the bucket, which follows s3://")
	}
	return nil
}

// String returns the store in the form that UnmarshalText parses.
func (s Store) String() string {
	if s.Embedded {
		return "file://" + s.Dir
	}
	query := url.Values{}
	for name, value := range map[string]string{"endpoint": s.Endpoint, "region": s.Region} {
		if value != "" {
			query.Set(name, value)
		}
	}
	u := url.URL{Scheme: "s3", Host: s.Bucket, Path: "/" + s.Prefix, RawQuery: query.Encode()}
	return u.String()
}
