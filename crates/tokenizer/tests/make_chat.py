"""Writes chat.json: templates with the text that transformers 5.23 makes of them (`pip install transformers==5.23.0 jinja2`)."""
import json
from transformers.utils.chat_template_utils import render_jinja_template
msgs=[{"role":"user","content":" Hi <b>&\"'\n"},{"role":"assistant","content":"yes\n","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1,"y":[1.5,None,True],"z":"é"}}}]},{"role":"user","content":"more"}]
tools=[{"type":"function","function":{"name":"f","description":"dö","parameters":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}}]
T={
"blocks":"{% for m in messages %}\n  {% if m.role == 'user' %}\n[{{ m.content }}]\n  {% else %}\n({{ m['content'] | trim }})\n  {% endif %}\n{% endfor %}\nend\n",
"strip":"{%- for m in messages -%}\n  {{- '<|' + m['role'] + '|>\\n' + m['content'].strip() + eos_token -}}\n{%- endfor -%}\n{%- if add_generation_prompt -%}{{ '<|a|>' }}{%- endif -%}",
"tojson":"{{ tools | tojson }}|{{ tools | tojson(indent=2) }}|{{ messages[1].tool_calls | tojson(sort_keys=true, ensure_ascii=true) }}|{{ messages[0].content | tojson }}|{{ [] | tojson(indent=4) }}{{ {} | tojson(indent=4) }}|{{ {'a':1} | tojson(separators=(',',':')) }}",
"python values":"{{ true }} {{ none }} {{ [1, 'a', 2.0, none, false] }} {{ {'k': \"it's\", 'n': {'x': [1]}} }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 3 / 2 }} {{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }} {{ undefined_thing }} {{ 'a' ~ true ~ none ~ 1.0 }} {{ true | string }} {{ (1, 'x') }} {{ 'tab\\t\\'q\\'' }}",
"namespace":"{% set ns = namespace(n=0, seen=false) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% if loop.last %}{% set ns.seen = true %}{% endif %}{% endfor %}{{ ns.n }} {{ ns.seen }}",
"loop controls":"{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}{{ loop.index }}{{ m.role }},{% if loop.index > 2 %}{% break %}{% endif %}{% endfor %}",
"generation":"{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}\n{{ m.content }}{% endgeneration %}\n{% else %}{{ m.content }}{%- generation -%} x {%- endgeneration -%}{% endif %}{% endfor %}",
"methods":"{{ 'a,b,c'.split(',') }} {{ 'Abc'.upper() }}{{ 'abc'.title() }} {{ 'xxabxx'.strip('x') }} {{ 'a</think>b</think>c'.split('</think>')[-1] }} {{ messages[1].get('tool_calls') is not none }} {{ messages[1].get('nope', 'd') }} {% for k, v in messages[0].items() %}{{ k }}={{ v | length }};{% endfor %} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x','c')) }} {{ 'a-b'.replace('-', '+') }} {{ ','.join(['p','q']) }} {{ 'a\\nb'.splitlines() }} {{ 'abcabc'.rfind('c') }} {{ 'pre-x'.removeprefix('pre-') }} {{ 'a.b.c'.rsplit('.', 1) }} {{ 'a b  c'.split() }} {{ 'a'.join(('1','2')) }}",
"filters":"{{ messages | map(attribute='role') | join(', ') }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'equalto', 'user') | map(attribute='content') | first }} {{ [3,1,2] | sort }} {{ 'x' | default('y') }} {{ nope | default('y') }} {{ 'hello' | capitalize }} {{ messages | length }} {{ [1,2,3] | last }} {{ 'a b' | replace(' ', '_') }} {{ {'b':1,'a':2} | dictsort }} {{ [1,2] | reverse | list }} {{ '3' | int + 1 }} {{ 'abc' | upper }} {{ [1,1,2] | unique | list }} {{ 'a<b' | e }}",
"tests":"{{ messages is iterable }} {{ messages[0] is mapping }} {{ 'x' is string }} {{ nope is defined }} {{ none is none }} {{ 3 is odd }} {{ messages is sequence }} {{ 1.5 is number }} {{ true is boolean }} {{ tools is not none }} {{ documents is none }} {{ 'role' in messages[0] }} {{ 'user' not in ['a'] }} {{ messages[0].nope is undefined }} {{ 'a' if false else 'b' }} {{ ('a' if false) is defined }}",
"slices":"{{ messages[1:] | length }} {{ messages[-1].role }} {{ 'abcdef'[1:3] }} {{ 'abcdef'[::-1] }} {{ messages[::-1][0].content }} {{ messages[:-1] | length }}",
"macro":"{% macro show(m, tail='!') %}<{{ m.role }}{{ tail }}>{% endmacro %}{% for m in messages %}{{ show(m) }}{{ show(m, tail='?') }}{% endfor %}",
"comment":"a{# note #}\n{#- x -#}\nb {# y #}\nc",
"trailing":"x\n\n",
"lstrip plus":"  {%+ if true %}a{% endif +%}\n  b\n   {{ 1 }}  \n",
"dict":"{% set d = dict(a=1, b='x') %}{{ d.a }}{{ d['b'] }} {% for k in d %}{{ k }}{% endfor %}{{ d.keys() | list }}",
"nested loop":"{% for m in messages recursive %}{{ loop.depth }}{{ loop.revindex }}{{ loop.previtem.role if loop.previtem is defined else '-' }}{{ loop.nextitem.role if not loop.last else '-' }};{% else %}none{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}",
"range":"{% for i in range(3) %}{{ i }}{% endfor %}{{ range(1, 9, 3) | list }}",
"set block":"{% set x %}  <{{ messages[0].role }}>{% endset %}{{ x | trim }}{% filter upper %}abc{% endfilter %}",
"reasoning":"{{ messages[0].thinking }}|{{ messages[0].reasoning_content }}",
"bool logic":"{{ 1 and 'x' }} {{ '' or 'y' }} {{ not [] }} {{ [] == [] }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ {} or 'empty' }} {{ '%.2f' | format(3.14159) }}",
}
out=[]
for n,t in T.items():
    m=msgs
    if n=="reasoning": m=[{"role":"assistant","content":"c","reasoning":"r"}]
    try:
        r=render_jinja_template([m],tools=tools,chat_template=t,add_generation_prompt=True,eos_token="</s>",bos_token="<s>")[0][0]
    except Exception as e:
        print("ERR",n,repr(e)); continue
    out.append({"name":n,"messages":m,"tools":tools,"template":t,"text":r})
json.dump(out,open('chat.json', 'w'),ensure_ascii=False,indent=1)
print(len(out))
