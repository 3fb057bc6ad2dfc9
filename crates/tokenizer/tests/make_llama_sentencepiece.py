"""Trains the SentencePiece model of parity/llama-sentencepiece and writes what transformers 5.23 makes of texts.

Run in this folder, with the parity cases beside the checkout:
    pip install transformers==5.23.0 sentencepiece==0.2.3 protobuf && python make_llama_sentencepiece.py
"""
import io
import json
import os

import sentencepiece as spm
texts=[]
for c in ('llama-text-generation','bart-summarization'):
    for x in json.load(open(f'../../../../shared/parity/cases/{c}/expected.json'))['checks']:
        if x['kind']=='tokenize' and 'text' in x['input']: texts.append(x['input']['text'])
corpus=[t for t in texts for _ in range(5)]+["the old captain slept while the sea rose and fell, again and again"]*20
m=io.BytesIO()
spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus),model_writer=m,model_type='bpe',vocab_size=420,byte_fallback=True,character_coverage=0.98,hard_vocab_limit=False,normalization_rule_name='identity',remove_extra_whitespaces=False,user_defined_symbols=['<user>'],minloglevel=2)
d='parity/llama-sentencepiece'; os.makedirs(d,exist_ok=True)
open(d+'/tokenizer.model','wb').write(m.getvalue())
json.dump({"tokenizer_class":"LlamaTokenizer","add_bos_token":True,"add_eos_token":False,"bos_token":"<s>","eos_token":"</s>","unk_token":"<unk>","model_max_length":64},open(d+'/tokenizer_config.json','w'),indent=2)
from transformers import AutoTokenizer
t=AutoTokenizer.from_pretrained(d)
checks=[]
seen=texts[:9]+["unseen ☃ ügly <user> mid<user>dle </s> x"," leading","a  b   c\n\n\td"]
for i,x in enumerate(seen):
    e=t(x,return_offsets_mapping=True)
    checks.append({"id":f"tokenize.{i}","kind":"tokenize","input":{"text":x},"expect":{"input_ids":e["input_ids"],"attention_mask":e["attention_mask"],"offset_mapping":e["offset_mapping"],"tokens":t.convert_ids_to_tokens(e["input_ids"]),"input_ids_no_special":t(x,add_special_tokens=False)["input_ids"]}})
    checks.append({"id":f"decode.{i}","kind":"decode","input":{"ids":e["input_ids"]},"expect":{"text":t.decode(e["input_ids"]),"text_skip_special":t.decode(e["input_ids"],skip_special_tokens=True)}})
open(d+'/expected.json','w').write('{"case":"llama-sentencepiece","versions":{"transformers":"5.23.0","sentencepiece":"0.2.3"},"checks":[\n'+',\n'.join(json.dumps(c,ensure_ascii=False,separators=(',',':')) for c in checks)+'\n]}\n')
