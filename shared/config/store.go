package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Store names where the archive is stored: in a directory, by the embedded gateway, or in
// a bucket of any S3 service.
type Store struct {
	Embedded bool
	Dir      string // the directory; empty unless the gateway is embedded
	Bucket   string
	Prefix   string // without leading and trailing slashes
	Endpoint string // http:// or https:// and host; "" means AWS
	Region   string // "" means the region of the standard AWS chain
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

	if u.Scheme != "s3" || u.User != nil || u.Fragment != "" || !bucketPattern.MatchString(u.Host) {
		return Store{}, errors.New("not s3://bucket")
	}

	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Store{}, err
	}

	for name, values := range query {
		if (name != "endpoint" && name != "region") || len(values) != 1 {
			return Store{}, fmt.Errorf("only endpoint and region may follow, each once")
		}
	}

	if err := checkEndpoint(query.Get("endpoint")); err != nil {
		return Store{}, err
	}
	return Store{
		Bucket:   u.Host,
		Prefix:   strings.Trim(u.Path, "/"),
		Endpoint: strings.TrimSuffix(query.Get("endpoint"), "/"),
		Region:   query.Get("region"),
	}, nil
}

// checkEndpoint returns an error unless text is the URL of an endpoint. It rejects
// credentials, which Dump would show.
func checkEndpoint(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the endpoint must be http://host:port or https://host:port")
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
