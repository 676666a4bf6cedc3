package openapi

import (
	"encoding/json"

	"ace/shared/api"
)

// patternText is the pattern of a text parameter that has no pattern of its own. It
// allows every text that is not blank and has no NUL character.
const patternText = `^[^\x00]*[^\x00\s][^\x00]*$`

// paramSchema returns the schema of a parameter's value.
func paramSchema(p api.Param) *Schema {
	v := p.Values
	schema := &Schema{
		Type: string(p.Kind), Enum: v.OneOf, Pattern: v.Pattern, MaxLength: v.MaxBytes,
		Minimum: json.Number(v.From), ExclusiveMinimum: json.Number(v.Above), Maximum: json.Number(v.To),
	}
	if p.Kind == api.KindText && v.Pattern == "" && v.OneOf == nil {
		schema.Pattern = patternText
	}
	if p.Kind == api.KindList {
		schema.Items = &Schema{Type: "string", Pattern: patternText}
		schema.UniqueItems = true
		schema.MinItems = v.MinItems
		if v.All && v.MinItems > 1 {
			schema.MinItems = 1
			schema.AnyOf = []*Schema{{Const: []string{"all"}}, {MinItems: v.MinItems}}
		}
	}
	if p.Default != "" {
		schema.Default = typed(p.Kind, p.Default)
	}
	if p.Example != "" {
		schema.Examples = []any{typed(p.Kind, p.Example)}
	}
	return schema
}

// typed converts the text of a parameter's value to the JSON type of its kind, such as a
// boolean or a number.
func typed(kind api.Kind, text string) any {
	switch kind {
	case api.KindFlag:
		return text == "true"
	case api.KindInteger, api.KindNumber:
		return json.Number(text)
	case api.KindList:
		return splitList(text)
	}
	return text
}

// purpose returns the description of a parameter.
func purpose(p api.Param) string {
	if p.Allowed == "" || p.Kind == api.KindFlag {
		return sentence(p.Purpose)
	}
	return sentence(p.Purpose + ": " + p.Allowed)
}

// queryParams returns the parameters of a query string.
func queryParams(params []api.Param) []*Parameter {
	var list []*Parameter
	for _, p := range params {
		parameter := &Parameter{Name: p.Name, In: "query", Required: p.Required, Description: purpose(p), Schema: paramSchema(p)}
		if p.Kind == api.KindList {
			parameter.Style, parameter.Explode = "form", new(bool)
		}
		list = append(list, parameter)
	}
	return list
}

// bodySchema returns the schema of the parameters in a body.
func bodySchema(o api.Operation) *Schema {
	schema := &Schema{Type: "object", Description: "The parameters of " + o.Name + ".", Additional: false}
	for _, p := range o.Params {
		property := paramSchema(p)
		property.Description = purpose(p)
		schema.Properties.set(p.Name, property)
		if p.Required {
			schema.Required = append(schema.Required, p.Name)
		}
	}
	return schema
}

// bodyOf returns the body of a POST with parameters, as JSON or as a form.
func bodyOf(o api.Operation) *Body {
	parameters := ref(camel(o.Name, true) + "Parameters")
	form := &Media{Schema: parameters}
	body := &Body{}
	for _, p := range o.Params {
		body.Required = body.Required || p.Required
		if p.Kind == api.KindList {
			form.Encoding.set(p.Name, &Encoding{Style: "form"})
		}
	}
	body.Content.set("application/json", &Media{Schema: parameters})
	body.Content.set("application/x-www-form-urlencoded", form)
	return body
}
