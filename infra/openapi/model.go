package openapi

import (
	"bytes"
	"encoding/json"
)

// The types of this file are the parts of OpenAPI 3.1 that the description uses. Their
// fields are in the order in which people read them.

// Document is the whole description.
type Document struct {
	OpenAPI    string             `json:"openapi"`
	Info       Info               `json:"info"`
	Servers    []Server           `json:"servers"`
	Security   []Requirement      `json:"security"`
	Paths      Object[*Path]      `json:"paths"`
	Components Components         `json:"components"`
	Tags       []Tag              `json:"tags"`
	Docs       *ExternalDocuments `json:"externalDocs,omitempty"`
}

// Info describes the API as a whole.
type Info struct {
	Title       string  `json:"title"`
	Summary     string  `json:"summary"`
	Description string  `json:"description"`
	Version     string  `json:"version"`
	License     License `json:"license"`
}

// License is the license of the program.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier"`
}

// Server is an address of the API.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// ExternalDocuments is a link to a page.
type ExternalDocuments struct {
	Description string `json:"description"`
	URL         string `json:"url"`
}

// Requirement names security schemes that a request must satisfy together. An empty
// requirement allows a request without any.
type Requirement map[string][]string

// Components are what several operations share.
type Components struct {
	Schemas    Object[*Schema]        `json:"schemas"`
	Responses  Object[*Response]      `json:"responses"`
	Parameters Object[*Parameter]     `json:"parameters"`
	Headers    Object[*Header]        `json:"headers"`
	Security   Object[SecurityScheme] `json:"securitySchemes"`
}

// SecurityScheme is a way to authenticate.
type SecurityScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description"`
	Amazon      string `json:"x-amazon-apigateway-authtype,omitempty"`
}

// Path has the operations of a path.
type Path struct {
	Get  *Operation `json:"get,omitempty"`
	Post *Operation `json:"post,omitempty"`
}

// Operation is one method of a path.
type Operation struct {
	ID          string            `json:"operationId"`
	Tags        []string          `json:"tags"`
	Summary     string            `json:"summary"`
	Description string            `json:"description,omitempty"`
	Security    []Requirement     `json:"security,omitempty"`
	Parameters  []*Parameter      `json:"parameters,omitempty"`
	Body        *Body             `json:"requestBody,omitempty"`
	Responses   Object[*Response] `json:"responses"`
}

// Parameter is a parameter in the path, the query string or a header.
type Parameter struct {
	Ref         string  `json:"$ref,omitempty"`
	Name        string  `json:"name,omitempty"`
	In          string  `json:"in,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Description string  `json:"description,omitempty"`
	Style       string  `json:"style,omitempty"`
	Explode     *bool   `json:"explode,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Body is the body of a request.
type Body struct {
	Description string         `json:"description,omitempty"`
	Required    bool           `json:"required,omitempty"`
	Content     Object[*Media] `json:"content"`
}

// Media describes a body of one content type.
type Media struct {
	Schema   *Schema           `json:"schema"`
	Encoding Object[*Encoding] `json:"encoding,omitempty"`
}

// Encoding is the notation of a list in a form.
type Encoding struct {
	Style   string `json:"style"`
	Explode bool   `json:"explode"`
}

// Response is an answer.
type Response struct {
	Ref         string          `json:"$ref,omitempty"`
	Description string          `json:"description,omitempty"`
	Headers     Object[*Header] `json:"headers,omitempty"`
	Content     Object[*Media]  `json:"content,omitempty"`
}

// Header is a header field of an answer.
type Header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Schema is a JSON Schema.
type Schema struct {
	Ref              string          `json:"$ref,omitempty"`
	Type             any             `json:"type,omitempty"` // a string or a list of strings
	Format           string          `json:"format,omitempty"`
	Description      string          `json:"description,omitempty"`
	Const            any             `json:"const,omitempty"`
	Enum             []string        `json:"enum,omitempty"`
	Pattern          string          `json:"pattern,omitempty"`
	MinLength        int             `json:"minLength,omitempty"`
	MaxLength        int             `json:"maxLength,omitempty"`
	Minimum          json.Number     `json:"minimum,omitempty"`
	ExclusiveMinimum json.Number     `json:"exclusiveMinimum,omitempty"`
	Maximum          json.Number     `json:"maximum,omitempty"`
	MinItems         int             `json:"minItems,omitempty"`
	UniqueItems      bool            `json:"uniqueItems,omitempty"`
	Items            *Schema         `json:"items,omitempty"`
	Properties       Object[*Schema] `json:"properties,omitempty"`
	Required         []string        `json:"required,omitempty"`
	Additional       any             `json:"additionalProperties,omitempty"` // a *Schema or false
	AnyOf            []*Schema       `json:"anyOf,omitempty"`
	Default          any             `json:"default,omitempty"`
	Examples         []any           `json:"examples,omitempty"`
}

// Object is a JSON object whose members have an order.
type Object[T any] []Member[T]

// Member is a member of an Object.
type Member[T any] struct {
	Name  string
	Value T
}

// MarshalJSON implements json.Marshaler.
func (o Object[T]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := encoder.Encode(m.Name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := encoder.Encode(m.Value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// set adds a member.
func (o *Object[T]) set(name string, value T) { *o = append(*o, Member[T]{name, value}) }

// get returns the member of a name, or nil.
func (o Object[T]) get(name string) *T {
	for i := range o {
		if o[i].Name == name {
			return &o[i].Value
		}
	}
	return nil
}
