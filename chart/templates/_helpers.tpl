{{/* What objects are called: the release's name, with the chart's unless that is in it. Short enough for suffixes. */}}
{{- define "remediator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What tells the pods of this release from others. Never changes: selectors cannot. */}}
{{- define "remediator.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "remediator.labels" -}}
{{ include "remediator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* image, and the tag where it names none */}}
{{- define "remediator.image" -}}
{{- $tag := .image.tag | default .default -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository $tag -}}
{{- end -}}
{{- end -}}

{{- define "remediator.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "remediator.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* "true" where the store is the chart's own Valkey. */}}
{{- define "remediator.ownStore" -}}
{{- if not (or .Values.redis.url .Values.redis.existingSecret) -}}true{{- end -}}
{{- end -}}

{{/* "true" where the policies are those that come with this version. */}}
{{- define "remediator.defaultPolicies" -}}
{{- if not (or .Values.policies.files .Values.policies.existingConfigMap) -}}true{{- end -}}
{{- end -}}

{{- define "remediator.policiesConfigMap" -}}
{{- .Values.policies.existingConfigMap | default (printf "%s-policies" (include "remediator.fullname" .)) -}}
{{- end -}}

{{/*
The text of the policies by file name, as JSON.
*/}}
{{- define "remediator.policyFiles" -}}
{{- $files := dict -}}
{{- if include "remediator.defaultPolicies" . -}}
{{- range $path, $_ := .Files.Glob "files/policies/*.yaml" -}}
{{- $_ := set $files (base $path) ($.Files.Get $path) -}}
{{- end -}}
{{- else -}}
{{- $files = .Values.policies.files -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/*
The Roles as JSON: [{namespace, rules}]; an empty namespace means the whole cluster. For policies of your own
the chart knows none but those that the values give.
*/}}
{{- define "remediator.roles" -}}
{{- if not (kindIs "invalid" .Values.rbac.roles) -}}
{{- toJson .Values.rbac.roles -}}
{{- else if include "remediator.defaultPolicies" . -}}
{{- toJson (.Files.Get (printf "files/rbac/%s.yaml" .Values.mode) | fromYaml).rbac.roles -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/*
Namespaces of Roles that a cluster which answers does not have, as JSON. Rendered without one, none is missing.
*/}}
{{- define "remediator.missingNamespaces" -}}
{{- $missing := list -}}
{{- if and .Values.rbac.create .Values.rbac.skipMissingNamespaces -}}
{{- $known := list -}}
{{- range (lookup "v1" "Namespace" "" "").items -}}
{{- $known = append $known .metadata.name -}}
{{- end -}}
{{- if $known -}}
{{- range include "remediator.roles" . | fromJsonArray -}}
{{- if and .namespace (not (has .namespace $known)) (ne .namespace $.Release.Namespace) -}}
{{- $missing = append $missing .namespace -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $missing -}}
{{- end -}}

{{/*
Every secret that the daemon is given, as JSON: the variable (its file is <variable>_FILE), the file it stands
in, and the Secret and key that hold it. own: it is in the Secret of this release, where an empty value means
that one is generated.
*/}}
{{- define "remediator.secrets" -}}
{{- $v := .Values -}}
{{- $all := list -}}
{{- if $v.secrets.webhookToken.enabled -}}
{{- $all = append $all (dict "from" $v.secrets.webhookToken "as" "webhook-token" "variable" "REMEDIATOR_WEBHOOK_TOKEN" "generate" true) -}}
{{- end -}}
{{- $all = append $all (dict "from" $v.secrets.apiToken "as" "api-token" "variable" "REMEDIATOR_API_TOKEN" "generate" true) -}}
{{- $all = append $all (dict "from" $v.secrets.pagerdutyRoutingKey "as" "pagerduty-routing-key" "variable" "REMEDIATOR_PAGERDUTY_ROUTING_KEY") -}}
{{- if $v.prometheus.url -}}
{{- $all = append $all (dict "from" $v.prometheus.token "as" "prometheus-token" "variable" "REMEDIATOR_PROMETHEUS_TOKEN") -}}
{{- end -}}
{{- if $v.alertmanager.urls -}}
{{- $all = append $all (dict "from" $v.alertmanager.token "as" "alertmanager-token" "variable" "REMEDIATOR_ALERTMANAGER_TOKEN") -}}
{{- end -}}
{{- if include "remediator.ownStore" . -}}
{{- $all = append $all (dict "from" $v.valkey.password "as" "valkey-password" "variable" "REMEDIATOR_REDIS_PASSWORD" "generate" true) -}}
{{- else -}}
{{- $url := dict "value" $v.redis.url "existingSecret" $v.redis.existingSecret "key" $v.redis.key -}}
{{- $all = append $all (dict "from" $url "as" "redis-url" "variable" "REMEDIATOR_REDIS_URL") -}}
{{- $all = append $all (dict "from" $v.redis.password "as" "redis-password" "variable" "REMEDIATOR_REDIS_PASSWORD") -}}
{{- end -}}
{{- range $name, $from := $v.secrets.named -}}
{{- $as := $name | lower | replace "_" "-" | printf "named-%s" -}}
{{- $all = append $all (dict "from" (merge (dict) $from (dict "key" $as)) "as" $as "variable" $name) -}}
{{- end -}}
{{- $out := list -}}
{{- range $all -}}
{{- if and .from.value .from.existingSecret -}}
{{- fail (printf "%s is given as a value and as an existing Secret; keep one of them" .variable) -}}
{{- end -}}
{{- if or .generate .from.value .from.existingSecret -}}
{{- $own := not .from.existingSecret -}}
{{- $secret := ternary (include "remediator.fullname" $) .from.existingSecret $own -}}
{{- $out = append $out (dict "variable" .variable "as" .as "own" $own "secret" $secret "key" (ternary .as .from.key $own) "value" (default "" .from.value)) -}}
{{- end -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}

{{/* What cannot be is said here, with what to do, before anything is rendered. */}}
{{- define "remediator.validate" -}}
{{- with .Values -}}
{{- if and .policies.files .policies.existingConfigMap -}}
{{- fail "policies.files and policies.existingConfigMap are both set; keep one of them" -}}
{{- end -}}
{{- if and .redis.url .redis.existingSecret -}}
{{- fail "redis.url and redis.existingSecret are both set; keep one of them" -}}
{{- end -}}
{{- if not (or .secrets.webhookToken.enabled .tls.clientCa.existingSecret) -}}
{{- fail "nothing would prove who sends webhooks: leave secrets.webhookToken.enabled, or set tls.clientCa.existingSecret" -}}
{{- end -}}
{{- if and .tls.clientCa.existingSecret (not .tls.existingSecret) -}}
{{- fail "tls.clientCa.existingSecret needs tls.existingSecret: client certificates are shown within TLS" -}}
{{- end -}}
{{- if and (or .redis.tls.caKey .redis.tls.certKey .redis.tls.keyKey) (not .redis.tls.existingSecret) -}}
{{- fail "redis.tls names keys and no Secret: set redis.tls.existingSecret" -}}
{{- end -}}
{{- if ne (empty .redis.tls.certKey) (empty .redis.tls.keyKey) -}}
{{- fail "redis.tls.certKey and redis.tls.keyKey go together" -}}
{{- end -}}
{{- if and (or .redis.username .redis.tls.existingSecret .redis.password.value .redis.password.existingSecret) (include "remediator.ownStore" $) -}}
{{- fail "redis.username, redis.password and redis.tls are for a Redis of your own: set redis.url or redis.existingSecret, or the password of the chart's Valkey as valkey.password" -}}
{{- end -}}
{{- if and (or .prometheus.token.value .prometheus.token.existingSecret) (not .prometheus.url) -}}
{{- fail "prometheus.token needs prometheus.url" -}}
{{- end -}}
{{- if and (or .alertmanager.token.value .alertmanager.token.existingSecret) (not .alertmanager.urls) -}}
{{- fail "alertmanager.token needs alertmanager.urls" -}}
{{- end -}}
{{- end -}}
{{- end -}}
