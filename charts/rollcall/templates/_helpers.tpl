{{- define "rollcall.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains "rollcall" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-rollcall" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The name of what stands outside of the release's namespace. No namespace has a colon, so no two releases have the same. */ -}}
{{- define "rollcall.qualified" -}}
{{- printf "%s:%s" .Release.Namespace (include "rollcall.name" .) -}}
{{- end -}}

{{- define "rollcall.selector" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rollcall.labels" -}}
{{ include "rollcall.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "rollcall.account" -}}
{{- .Values.serviceAccount.name | default (include "rollcall.name" .) -}}
{{- end -}}

{{- define "rollcall.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "rollcall.externalUrl" -}}
{{- if .Values.scim.externalUrl -}}
{{- .Values.scim.externalUrl -}}
{{- else if .Values.ingress.enabled -}}
{{- printf "https://%s" .Values.ingress.host -}}
{{- else if .Values.httpRoute.enabled -}}
{{- printf "https://%s" .Values.httpRoute.host -}}
{{- end -}}
{{- end -}}

{{- define "rollcall.consentUrl" -}}
{{- with .Values.consent -}}
{{- if .externalUrl -}}
{{- .externalUrl -}}
{{- else if .ingress.enabled -}}
{{- printf "https://%s" .ingress.host -}}
{{- else if .httpRoute.enabled -}}
{{- printf "https://%s" .httpRoute.host -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rollcall.gatewayUrl" -}}
{{- with .Values.engineGateway -}}
{{- if .externalUrl -}}
{{- .externalUrl -}}
{{- else if .ingress.enabled -}}
{{- printf "https://%s" .ingress.host -}}
{{- else if .httpRoute.enabled -}}
{{- printf "https://%s" .httpRoute.host -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The metrics of this release, and of no other. */ -}}
{{- define "rollcall.series" -}}
job="{{ include "rollcall.name" . }}-metrics", namespace="{{ .Release.Namespace }}"
{{- end -}}

{{- /* What the operator may do where it watches. */ -}}
{{- define "rollcall.watchedRules" -}}
- apiGroups: [rollcall.dev]
  resources: [directoryconnectors, syncpolicies]
  verbs: [get, list, watch]
- apiGroups: [rollcall.dev]
  resources: [directoryconnectors/status, syncpolicies/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch]
{{- if include "rollcall.gatewayUrl" . }}
# By the Secret of a connector a Sync Engine joins.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, update]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
